//! Program text becomes words with the line they stand on; comments and spaces go.

/// What text is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// A name such as `if`, `i0` or `s1`.
    Word(&'a str),
    /// A number as it is written.
    Number(&'a str),
    /// Any other character.
    Sign(char),
}

/// The words of a text, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The line the next word stands on, from 1.
    line: usize,
}

impl<'a> Tokens<'a> {
    /// Words of `text`, whose first line is number `line`.
    pub fn of(text: &'a str, line: usize) -> Self {
        Self { rest: text, line }
    }

    /// The line the next word stands on, from 1.
    pub fn line(&mut self) -> usize {
        self.skip_spaces();
        self.line
    }

    pub fn peek(&mut self) -> Option<Token<'a>> {
        self.clone().next()
    }

    fn skip_spaces(&mut self) {
        loop {
            let text = self.rest.trim_start();
            let text = match (text.starts_with("//"), text.starts_with("/*")) {
                (true, _) => &text[text.find('\n').unwrap_or(text.len())..],
                (_, true) => &text[text.find("*/").map_or(text.len(), |end| end + 2)..],
                _ => text,
            };
            let skipped = &self.rest[..self.rest.len() - text.len()];
            self.line += memchr::memchr_iter(b'\n', skipped.as_bytes()).count();
            self.rest = text;
            if skipped.is_empty() {
                return;
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_spaces();
        let first = self.rest.chars().next()?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = if first.is_ascii_digit() || first == '.' {
            number_length(self.rest)
        } else if is_name(first) {
            self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len())
        } else {
            first.len_utf8()
        };
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(match first {
            '0'..='9' | '.' => Token::Number(word),
            c if is_name(c) => Token::Word(word),
            c => Token::Sign(c),
        })
    }
}

/// Digits, a point, an exponent with its sign, a suffix.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    (1..bytes.len())
        .find(|&i| match bytes[i] {
            b'+' | b'-' => !matches!(bytes[i - 1], b'e' | b'E'),
            b => !(b.is_ascii_alphanumeric() || b == b'.'),
        })
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::Token::{Number, Sign, Word};
    use super::*;

    #[test]
    fn words_know_their_lines() {
        let mut tokens = Tokens::of("if(i0<-1.5e-05){ // x\n /* a\n b */ s1+=.5f;", 7);
        let found: Vec<Token<'_>> = tokens.by_ref().collect();
        assert_eq!(
            found,
            [
                Word("if"),
                Sign('('),
                Word("i0"),
                Sign('<'),
                Sign('-'),
                Number("1.5e-05"),
                Sign(')'),
                Sign('{'),
                Word("s1"),
                Sign('+'),
                Sign('='),
                Number(".5f"),
                Sign(';'),
            ]
        );
        assert_eq!(tokens.line(), 9);
        assert_eq!(Tokens::of("/* never closed", 1).next(), None);
    }
}
