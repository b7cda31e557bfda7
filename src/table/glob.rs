//! Globs over column names: `*` and `?`, and a helpful error when nothing matches.

use polars::prelude::DataFrame;

use super::values::{names, unknown};
use crate::error::Error;

/// Whether `name` matches `glob` as a whole; `*` is any run of characters, `?` any one.
///
/// A name that is spelled exactly matches even if it contains `*` or `?` itself.
pub(super) fn matches(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut g, mut n) = (0, 0);
    // Where to go on when a match fails: after the last `*`, which then swallows one character more.
    let mut retry = None;
    while n < name.len() {
        if g < glob.len() && glob[g] == '*' {
            retry = Some((g + 1, n));
            g += 1;
        } else if g < glob.len() && (glob[g] == '?' || glob[g] == name[n]) {
            (g, n) = (g + 1, n + 1);
        } else if let Some((after, swallowed)) = retry {
            retry = Some((after, swallowed + 1));
            (g, n) = (after, swallowed + 1);
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|&c| c == '*')
}

/// The error for a glob that no column matches.
pub(super) fn no_match(glob: &str, frame: &DataFrame) -> Error {
    if !glob.contains(['*', '?']) {
        return unknown(frame, glob);
    }
    let stem = glob.replace(['*', '?'], "");
    let error = Error::data(format!("no column matches `{glob}`"));
    match crate::error::closest(&stem, names(frame)) {
        Some(close) => error.help(format!("did you mean `{close}`?")),
        None => error.help("see the names with: explore describe TABLE"),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        let cases = [
            ("*", "area", true),
            ("intensity_*", "intensity_mean", true),
            ("intensity_*", "area", false),
            ("*_mean", "intensity_mean", true),
            ("a*a*a", "banana", false),
            ("*a*a", "banana", true),
            ("bbox-?", "bbox-3", true),
            ("bbox-?", "bbox-", false),
            ("", "", true),
            ("fläche*", "fläche µm²", true),
        ];
        for (glob, name, expected) in cases {
            assert_eq!(matches(glob, name), expected, "{glob} {name}");
        }
    }
}
