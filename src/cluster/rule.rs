//! A rule over columns, such as `area > 100 and kind == round`, and a table in; the rows that meet it out.

use std::str::FromStr;

use polars::prelude::{Column, DataFrame, DataType};

use crate::error::{Error, Result};
use crate::table::column_of_numbers;

/// Comparisons joined by `and`; all of them must hold. A missing value meets none.
///
/// Names and words with spaces or signs stand in backquotes.
///
/// ```
/// use polariscope::cluster::Rule;
/// use polariscope::table::Table;
/// let table = Table::from_bytes("t.csv", b"area,kind\n5,round\n9,round\n9,long\n,round\n")?;
/// let rule: Rule = "area >= 6 and kind == round".parse()?;
/// assert_eq!(rule.rows(&table.frame)?, [false, true, false, false]);
///
/// let error = "area is big".parse::<Rule>().unwrap_err();
/// assert!(error.to_string().contains("is"));
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rule(Vec<Comparison>);

#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    column: String,
    sign: Sign,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Different,
}

/// Longer signs first: `<=` begins with `<`.
const SIGNS: [(&str, Sign); 7] = [
    ("<=", Sign::AtMost),
    (">=", Sign::AtLeast),
    ("==", Sign::Equal),
    ("!=", Sign::Different),
    ("<", Sign::Less),
    (">", Sign::More),
    ("=", Sign::Equal),
];

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let words = words(text)?;
        let comparison = |words: &[Word]| match words {
            [Word::Text(column), Word::Sign(sign), Word::Text(value)] => {
                Ok(Comparison { column: column.clone(), sign: *sign, value: value.clone() })
            }
            _ => Err(malformed(text)),
        };
        words.split(|w| *w == Word::And).map(comparison).collect::<Result<_>>().map(Self)
    }
}

impl Rule {
    /// Whether each row of the table meets the rule.
    ///
    /// # Errors
    /// An unknown column, text compared by size, or a column of numbers compared with a word.
    pub fn rows(&self, frame: &DataFrame) -> Result<Vec<bool>> {
        let mut met = vec![true; frame.height()];
        for comparison in &self.0 {
            for (met, holds) in met.iter_mut().zip(comparison.rows(frame)?) {
                *met &= holds;
            }
        }
        Ok(met)
    }
}

impl Comparison {
    fn rows(&self, frame: &DataFrame) -> Result<Vec<bool>> {
        let numeric = |c: &Column| c.dtype().is_primitive_numeric();
        if frame.column(&self.column).is_ok_and(|c| !numeric(c)) {
            return self.texts(frame);
        }
        let numbers = column_of_numbers(frame, &self.column)?;
        let value: f64 = self.value.parse().map_err(|_| {
            Error::data(format!("is compared with `{}`, which is no number", self.value))
                .at_column(&self.column)
        })?;
        let holds = |&x: &f64| !x.is_nan() && self.sign.holds(x.partial_cmp(&value));
        Ok(numbers.iter().map(holds).collect())
    }

    /// The comparison of words; `true` and `false` are words too.
    fn texts(&self, frame: &DataFrame) -> Result<Vec<bool>> {
        if !matches!(self.sign, Sign::Equal | Sign::Different) {
            return Err(Error::data("holds text, which is only compared by == and !=")
                .at_column(&self.column));
        }
        let internal = |e: polars::prelude::PolarsError| Error::internal(e.to_string());
        let column = frame.column(&self.column).map_err(internal)?;
        let column = column.cast(&DataType::String).map_err(internal)?;
        let texts = column.str().map_err(internal)?;
        let wanted = self.sign == Sign::Equal;
        Ok(texts.iter().map(|t| t.is_some_and(|t| (t == self.value) == wanted)).collect())
    }
}

impl Sign {
    fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self {
            Self::Less => order == Some(Less),
            Self::AtMost => matches!(order, Some(Less | Equal)),
            Self::More => order == Some(Greater),
            Self::AtLeast => matches!(order, Some(Greater | Equal)),
            Self::Equal => order == Some(Equal),
            Self::Different => order != Some(Equal),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Text(String),
    Sign(Sign),
    And,
}

fn words(text: &str) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('`') {
            let Some((word, after)) = quoted.split_once('`') else {
                return Err(malformed(text));
            };
            words.push(Word::Text(word.to_owned()));
            rest = after;
        } else if let Some((sign, meaning)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign))
        {
            words.push(Word::Sign(*meaning));
            rest = &rest[sign.len()..];
        } else if matches!(first, '!' | '`') {
            return Err(malformed(text));
        } else {
            let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '=' | '!' | '`');
            let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            let is_and = word.eq_ignore_ascii_case("and") || word == "&" || word == "&&";
            words.push(if is_and { Word::And } else { Word::Text(word.to_owned()) });
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(words)
}

fn malformed(text: &str) -> Error {
    Error::parameter("where", text, "comparisons joined by `and`")
        .help("write it like 'area > 100 and solidity <= 0.9'; names with spaces in `backquotes`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    fn rows(rule: &str) -> Result<Vec<bool>> {
        let text = b"area,kind,is big,round\n1,a,2.5,true\n2,b,-1,false\n3,a,,true\n";
        rule.parse::<Rule>()?.rows(&Table::from_bytes("t.csv", text)?.frame)
    }

    #[test]
    fn every_sign_means_what_it_says() {
        assert_eq!(rows("area<2").unwrap(), [true, false, false]);
        assert_eq!(rows("area <= 2").unwrap(), [true, true, false]);
        assert_eq!(rows("area>2").unwrap(), [false, false, true]);
        assert_eq!(rows("area >= 2 AND area != 3").unwrap(), [false, true, false]);
        assert_eq!(rows("area = 2e0").unwrap(), [false, true, false]);
        assert_eq!(rows("kind == a and area > 1").unwrap(), [false, false, true]);
        assert_eq!(rows("round == true").unwrap(), [true, false, true]);
    }

    #[test]
    fn missing_values_meet_nothing_and_names_may_have_spaces() {
        assert_eq!(rows("`is big` != 7").unwrap(), [true, true, false]);
        assert_eq!(rows("`is big` < -0.5").unwrap(), [false, true, false]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in
            ["", "area", "area >", "> 3", "area > 3 and", "area ! 3", "`area > 3", "area > 3 4"]
        {
            assert!(bad.parse::<Rule>().is_err(), "{bad}");
        }
        for bad in ["size > 3", "kind > a", "area > big"] {
            assert!(rows(bad).is_err(), "{bad}");
        }
        assert!(rows("aera > 1").unwrap_err().remedy().unwrap().contains("area"));
    }
}
