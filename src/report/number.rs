//! Numbers and names as people read them: four significant digits, sparklines, shortened names.

/// The eight heights of a sparkline.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `value` with four significant digits, without trailing zeros; very large and very small ones with
/// an exponent.
///
/// ```
/// use polariscope::report::significant;
/// assert_eq!(significant(401.8852), "401.9");
/// assert_eq!(significant(0.5), "0.5");
/// assert_eq!(significant(0.00001234567), "1.235e-5");
/// assert_eq!(significant(-1_234_567.0), "-1.235e6");
/// assert_eq!(significant(65_535.0), "65535");
/// ```
pub fn significant(value: f64) -> String {
    digits(value, 4)
}

/// `value` with `n` significant digits; whole numbers below a million keep all of theirs.
pub fn digits(value: f64, n: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "-".into() } else { value.to_string() };
    }
    if value == 0.0 {
        return "0".into();
    }
    let decimals = n.saturating_sub(1);
    if (1e-4..1e6).contains(&value.abs()) {
        let exponent = value.abs().log10().floor() as i32;
        let decimals = (decimals as i32 - exponent).max(0) as usize;
        return trimmed(&format!("{value:.decimals$}")).to_string();
    }
    let scientific = format!("{value:.decimals$e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    format!("{}e{exponent}", trimmed(mantissa))
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// A count with a comma between thousands: `12,345`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Counts per bin as a row of eight heights; an empty bin is a blank, any other at least the lowest bar.
///
/// ```
/// use polariscope::report::sparkline;
/// assert_eq!(sparkline(&[1, 4, 8, 6, 0, 1]), "▁▄█▆ ▁");
/// ```
pub fn sparkline(counts: &[usize]) -> String {
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    counts
        .iter()
        .map(|&n| if n == 0 { ' ' } else { BARS[(n * 8).div_ceil(highest).clamp(1, 8) - 1] })
        .collect()
}

/// Counts of the finite `values` in `bins` equal steps from the smallest to the largest.
pub fn histogram(values: impl Iterator<Item = f64> + Clone, bins: usize) -> Vec<usize> {
    let finite = values.filter(|v| v.is_finite());
    let (low, high) = finite
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let mut counts = vec![0; bins];
    for value in finite {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        counts[((share * bins as f64) as usize).min(bins - 1)] += 1;
    }
    counts
}

/// `text` in at most `width` characters: its middle gives way to `…`, since names differ at both ends.
///
/// ```
/// use polariscope::report::shortened;
/// assert_eq!(shortened("equivalent_diameter_area", 15), "equival…er_area");
/// assert_eq!(shortened("area", 15), "area");
/// ```
pub fn shortened(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= width {
        return text.to_string();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
}

/// `text` without control characters and direction marks, which could disturb a terminal or a page.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            let disturbing = c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            if disturbing { ' ' } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (12.345, "12.35"),
            (123_456.0, "123456"),
            (999_999.0, "999999"),
            (1e6, "1e6"),
            (9.9996, "10"),
            (0.000_123_46, "0.0001235"),
            (f64::NAN, "-"),
            (f64::INFINITY, "inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(significant(value), expected);
        }
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn a_histogram_counts_every_finite_value() {
        let values = [0.0, 1.0, 2.0, 8.0, f64::NAN];
        assert_eq!(histogram(values.into_iter(), 4), [2, 1, 0, 1]);
        assert_eq!(histogram([3.0, 3.0].into_iter(), 4), [0, 0, 2, 0]);
        assert_eq!(histogram([].into_iter(), 4), [0; 4]);
    }

    #[test]
    fn hostile_text_is_made_plain() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d"), "a [31mb c d");
    }
}
