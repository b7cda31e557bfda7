//! A `.cl` file, or its shader, becomes a classifier: read as text, statement by statement, and never run.

use super::header::Header;
use super::tokens::{Token, Tokens};
use super::write::{WGSL_TOTAL, WGSL_WINNER, wgsl_begin};
use super::{MAX_BYTES, MAX_CLASSES, MAX_FEATURES, MAX_NESTING, MAX_VOTES};
use crate::apoc::Kind;
use crate::apoc::classifier::Classifier;
use crate::apoc::forest::{Forest, LEAF, Node, single};
use crate::error::{Error, Result};

/// Reads the text of a model file.
///
/// # Errors
/// When it is not what APOC writes, with the line; when it is larger than a model can be.
pub(in crate::apoc) fn read(text: &str) -> Result<Classifier> {
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::format(format!("{} bytes are too many for a model", text.len())));
    }
    let (header, body, line) = Header::read(text)?;
    let is_wgsl = header.is_wgsl;
    let mut reader = Reader { tokens: Tokens::of(body, line), forest: Forest::default(), is_wgsl };
    let probability_of = if is_wgsl {
        let is_share = reader.wgsl_begin(body)?;
        reader.trees()?;
        reader.wgsl_ending(is_share)?
    } else {
        reader.begin()?;
        reader.inputs()?;
        reader.sums()?;
        reader.trees()?;
        reader.ending()?
    };
    let forest = reader.forest;
    check(&header, &forest)?;
    let depth = forest.depths().into_iter().max().unwrap_or(0);
    Ok(Classifier {
        kind: header.kind.unwrap_or(match probability_of {
            0 => Kind::PixelClassifier,
            _ => Kind::ProbabilityMapper,
        }),
        features: header.features.unwrap_or_default(),
        n_dims: header.n_dims.unwrap_or(0),
        max_depth: header.max_depth.unwrap_or(depth),
        importances: header.importances,
        positive_class: header.positive_class,
        probability_of,
        covers: None,
        forest,
    })
}

/// The comment must not promise another forest than the one that follows.
fn check(header: &Header, forest: &Forest) -> Result<()> {
    let counts = [
        ("num_classes", header.n_classes, forest.n_classes),
        ("num_features", header.n_features, forest.n_features),
    ];
    for (name, promised, found) in counts {
        if promised.is_some_and(|n| n != found) {
            let promised = promised.unwrap_or_default();
            return Err(Error::format(format!(
                "the header says {name} = {promised}, the program has {found}"
            ))
            .help("the file was changed or cut: export it again"));
        }
    }
    if !header.importances.is_empty() && header.importances.len() != forest.n_features {
        return Err(Error::format(format!(
            "{} feature importances for {} features",
            header.importances.len(),
            forest.n_features
        )));
    }
    Ok(())
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    forest: Forest,
    is_wgsl: bool,
}

/// A feature or a sum.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    Feature,
    Sum,
}

/// A split that is open while its sides are read.
struct Open {
    node: usize,
    has_else: bool,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Token<'a>> {
        let line = self.tokens.line();
        self.tokens.next().ok_or_else(|| {
            Error::format("the file ends before the program does")
                .at_row(line)
                .help("it was cut short: copy or export it again")
        })
    }

    fn wrong(&mut self, line: usize, wanted: &str, found: Token<'_>) -> Error {
        let found = match found {
            Token::Word(text) | Token::Number(text) => shortened(text),
            Token::Sign(sign) => sign.to_string(),
        };
        Error::format(format!("`{found}` where {wanted} was expected"))
            .at_row(line)
            .help("only what APOC writes is read: export the model again")
    }

    /// The next words must be these.
    fn expect(&mut self, words: &str) -> Result<()> {
        for wanted in Tokens::of(words, 0) {
            let line = self.tokens.line();
            let found = self.next()?;
            if found != wanted {
                return Err(self.wrong(line, &format!("`{}`", excerpt(words, wanted)), found));
            }
        }
        Ok(())
    }

    fn next_is(&mut self, wanted: Token<'_>) -> bool {
        self.tokens.peek() == Some(wanted)
    }

    /// The number of the feature or sum that comes next, if one does: 12 for `i12`, in a shader for `x[12]`.
    fn numbered_next(tokens: &mut Tokens<'a>, named: Named, is_wgsl: bool) -> Option<usize> {
        let Token::Word(word) = tokens.next()? else { return None };
        if !is_wgsl {
            let letter = if named == Named::Feature { 'i' } else { 's' };
            return word.strip_prefix(letter)?.parse().ok();
        }
        let is_it = word == if named == Named::Feature { "x" } else { "s" };
        let open = tokens.next()?;
        let Token::Number(number) = tokens.next()? else { return None };
        let is_place = is_it && open == Token::Sign('[') && tokens.next()? == Token::Sign(']');
        number.parse().ok().filter(|_| is_place)
    }

    /// A feature or a sum: its number, which must be below `most`.
    fn numbered(&mut self, named: Named, most: usize) -> Result<usize> {
        let line = self.tokens.line();
        let mut ahead = self.tokens.clone();
        match Self::numbered_next(&mut ahead, named, self.is_wgsl) {
            Some(number) if number < most => {
                self.tokens = ahead;
                Ok(number)
            }
            number => {
                let (before, after) = match (self.is_wgsl, named) {
                    (false, Named::Feature) => ("i", ""),
                    (false, Named::Sum) => ("s", ""),
                    (true, Named::Feature) => ("x[", "]"),
                    (true, Named::Sum) => ("s[", "]"),
                };
                let place = |number: usize| format!("`{before}{number}{after}`");
                let wanted = format!("{} to {}", place(0), place(most.max(1) - 1));
                let Some(number) = number.filter(|_| self.is_wgsl) else {
                    let found = self.next()?;
                    return Err(self.wrong(line, &wanted, found));
                };
                Err(Error::format(format!("{} where {wanted} was expected", place(number)))
                    .at_row(line))
            }
        }
    }

    /// A finite number.
    fn number(&mut self) -> Result<f64> {
        let line = self.tokens.line();
        let is_negative = self.next_is(Token::Sign('-'));
        if is_negative {
            self.next()?;
        }
        let found = self.next()?;
        let Token::Number(text) = found else {
            return Err(self.wrong(line, "a number", found));
        };
        // `1.5f` is a single, `1.5` a double.
        let (digits, is_single) = match text.strip_suffix(['f', 'F']) {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let value: f64 = digits.parse().map_err(|_| self.wrong(line, "a number", found))?;
        let value = if is_single { f64::from(value as f32) } else { value };
        if value.abs() > f64::from(f32::MAX) {
            let text = shortened(text);
            return Err(Error::format(format!("{text} is beyond the range of single precision"))
                .at_row(line));
        }
        Ok(if is_negative { -value } else { value })
    }

    /// `__kernel void predict (..) {` and the coordinates.
    fn begin(&mut self) -> Result<()> {
        self.expect("__kernel void predict (")?;
        while self.next()? != Token::Sign(')') {}
        self.expect("{")?;
        while matches!(self.tokens.peek(), Some(Token::Word("sampler_t" | "const"))) {
            while self.next()? != Token::Sign(';') {}
        }
        Ok(())
    }

    /// `float i0 = READ_IMAGE(in0, ..).x;` for each feature.
    fn inputs(&mut self) -> Result<()> {
        while self.declares('i') {
            let i = self.forest.n_features;
            if i >= MAX_FEATURES {
                return Err(too_many("features", MAX_FEATURES, self.tokens.line()));
            }
            self.expect(&format!("float i{i} = READ_IMAGE ( in{i} ,"))?;
            while self.next()? != Token::Sign(';') {}
            self.forest.n_features += 1;
        }
        if self.forest.n_features == 0 {
            return Err(Error::format("the program reads no feature").at_row(self.tokens.line()));
        }
        Ok(())
    }

    /// `float s0=0;` for each class.
    fn sums(&mut self) -> Result<()> {
        while self.declares('s') {
            let k = self.forest.n_classes;
            if k >= MAX_CLASSES {
                return Err(too_many("classes", MAX_CLASSES, self.tokens.line()));
            }
            self.expect(&format!("float s{k} = 0 ;"))?;
            self.forest.n_classes += 1;
        }
        if self.forest.n_classes == 0 {
            return Err(Error::format("the program sums no class").at_row(self.tokens.line()));
        }
        Ok(())
    }

    /// Whether the next statement declares `letter` with a number.
    fn declares(&mut self, letter: char) -> bool {
        let mut ahead = self.tokens.clone();
        ahead.next() == Some(Token::Word("float"))
            && matches!(ahead.next(), Some(Token::Word(word))
                if word.strip_prefix(letter).is_some_and(|n| n.parse::<usize>().is_ok()))
    }

    /// All trees, up to the statement that is none.
    fn trees(&mut self) -> Result<()> {
        loop {
            match self.tokens.peek() {
                Some(Token::Word("if")) => self.tree()?,
                _ if self.adds_to_at_least(0) => {
                    let root = self.forest.nodes.len();
                    self.forest.roots.push(root as u32);
                    self.leaf()?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// One tree: nested conditions, read with a list of the open ones.
    fn tree(&mut self) -> Result<()> {
        self.forest.roots.push(self.forest.nodes.len() as u32);
        let mut open: Vec<Open> = Vec::new();
        // Each turn reads one side of a condition, or the end of one.
        loop {
            if self.next_is(Token::Word("if")) {
                if open.len() >= MAX_NESTING {
                    let message = format!("conditions are nested deeper than {MAX_NESTING}");
                    return Err(Error::format(message).at_row(self.tokens.line()));
                }
                let node = self.condition()?;
                open.push(Open { node, has_else: false });
                continue;
            }
            self.leaf()?;
            // Close what is complete; go on where an other side begins.
            loop {
                let Some(last) = open.last_mut() else {
                    return Ok(());
                };
                let (node, has_else) = (last.node, last.has_else);
                self.expect("}")?;
                if has_else {
                    open.pop();
                    continue;
                }
                last.has_else = true;
                self.expect("else {")?;
                self.forest.nodes[node].right = self.forest.nodes.len() as u32;
                break;
            }
        }
    }

    /// `if(i0<1.5){`: a split whose left side comes next.
    fn condition(&mut self) -> Result<usize> {
        self.expect("if (")?;
        let feature = self.numbered(Named::Feature, self.forest.n_features)?;
        self.expect("<")?;
        let threshold = single(self.number()?);
        self.expect(") {")?;
        let node = self.forest.nodes.len();
        let left = node as u32 + 1;
        self.forest.nodes.push(Node { threshold, feature: feature as u32, left, right: LEAF });
        Ok(node)
    }

    /// `s0+=0.5;` for each class that gets votes, in ascending order.
    fn leaf(&mut self) -> Result<()> {
        let (leaf, n_classes) = (self.forest.n_leaves(), self.forest.n_classes);
        if (leaf + 1) * n_classes > MAX_VOTES {
            let message = format!("more than {MAX_VOTES} leaves times classes");
            return Err(Error::format(message).at_row(self.tokens.line()));
        }
        self.forest.votes.resize((leaf + 1) * n_classes, 0.0);
        let mut next_class = 0;
        // A class again, or a lower one, belongs to the next tree.
        while self.adds_to_at_least(next_class) {
            let class = self.numbered(Named::Sum, n_classes)?;
            self.expect("+ =")?;
            let vote = self.number()?;
            self.expect(";")?;
            self.forest.votes[leaf * n_classes + class] = vote;
            next_class = class + 1;
        }
        self.forest.nodes.push(Node::leaf(leaf));
        Ok(())
    }

    fn adds_to_at_least(&mut self, class: usize) -> bool {
        let next = Self::numbered_next(&mut self.tokens.clone(), Named::Sum, self.is_wgsl);
        next.is_some_and(|k| k >= class)
    }

    /// What stands before the trees of a shader, word for word; whether it writes a share.
    fn wgsl_begin(&mut self, body: &str) -> Result<bool> {
        self.forest.n_features = self.wgsl_count("N_FEATURES", MAX_FEATURES)?;
        self.forest.n_classes = self.wgsl_count("N_CLASSES", MAX_CLASSES)?;
        let is_share = body.contains("results: array<f32>");
        self.expect(&wgsl_begin(self.forest.n_features, self.forest.n_classes, is_share))?;
        Ok(is_share)
    }

    /// `const N_CLASSES = 2u;`
    fn wgsl_count(&mut self, name: &str, most: usize) -> Result<usize> {
        self.expect(&format!("const {name} ="))?;
        let line = self.tokens.line();
        let found = self.next()?;
        let number = match found {
            Token::Number(text) => text.strip_suffix('u').and_then(|n| n.parse().ok()),
            _ => None,
        };
        let Some(number) = number.filter(|n| (1..=most).contains(n)) else {
            return Err(self.wrong(line, &format!("a number from 1u to {most}u"), found));
        };
        self.expect(";")?;
        Ok(number)
    }

    /// The arg-max (0), or the class whose share a shader writes.
    fn wgsl_ending(&mut self, is_share: bool) -> Result<usize> {
        let class = if is_share {
            self.expect(WGSL_TOTAL)?;
            let class = self.numbered(Named::Sum, self.forest.n_classes)? + 1;
            self.expect("/ total ;")?;
            class
        } else {
            self.expect(WGSL_WINNER)?;
            0
        };
        self.expect("}")?;
        self.end().map(|()| class)
    }

    /// The arg-max (0), or the class whose share is written.
    fn ending(&mut self) -> Result<usize> {
        let n_classes = self.forest.n_classes;
        let line = self.tokens.line();
        if !self.next_is(Token::Word("float")) {
            let found = self.next()?;
            return Err(self.wrong(line, "a tree, or `float max_s=s0;` after the last", found));
        }
        self.expect("float")?;
        let is_share = self.next_is(Token::Word("sum_s"));
        let name = if is_share { "sum_s" } else { "max_s" };
        self.expect(&format!("{name} = s0 ; int cls = 1 ;"))?;
        for k in 1..n_classes {
            if is_share {
                self.expect(&format!("sum_s = sum_s + s{k} ;"))?;
            } else {
                let class = k + 1;
                self.expect(&format!("if ( max_s < s{k} ) {{ max_s = s{k} ; cls = {class} ; }}"))?;
            }
        }
        self.expect("WRITE_IMAGE ( out , POS_out_INSTANCE ( x , y , z , 0 ) ,")?;
        let class = if is_share {
            let class = self.numbered(Named::Sum, n_classes)? + 1;
            self.expect("/ sum_s")?;
            class
        } else {
            self.expect("cls")?;
            0
        };
        self.expect(") ; }")?;
        self.end().map(|()| class)
    }

    fn end(&mut self) -> Result<()> {
        let line = self.tokens.line();
        match self.tokens.next() {
            None => Ok(()),
            Some(more) => Err(self.wrong(line, "the end of the file", more)),
        }
    }
}

/// The words themselves, or of many the one that is wanted.
fn excerpt<'a>(words: &'a str, wanted: Token<'a>) -> String {
    match wanted {
        _ if words.len() < 100 => words.to_owned(),
        Token::Word(text) | Token::Number(text) => text.to_owned(),
        Token::Sign(sign) => sign.to_string(),
    }
}

fn too_many(what: &str, most: usize, line: usize) -> Error {
    Error::format(format!("more than {most} {what}")).at_row(line)
}

/// The beginning of what may be a very long word.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
