//! Numbers as people read them.

/// A whole number with commas: `1,345,298,624`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 picture`, `1,200 pictures`, `2 processes`. For regular nouns.
pub fn count(number: u64, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", grouped(number))
}

/// An amount of memory or disk: `999 B`, `29.4 MB`, `2.7 GB`.
pub fn bytes(count: u64) -> String {
    scaled(
        count,
        &[("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)],
    )
    .unwrap_or_else(|| format!("{count} B"))
}

/// A number of parameters: `29.3 M`, `1.3 B`.
pub fn parameters(count: u64) -> String {
    scaled(count, &[("B", 1e9), ("M", 1e6), ("K", 1e3)]).unwrap_or_else(|| count.to_string())
}

/// With one digit after the point, in the largest unit that leaves one before it.
fn scaled(count: u64, units: &[(&str, f64)]) -> Option<String> {
    let value = count as f64;
    // What rounds up to a thousand of a unit is told in the next one.
    let (name, size) = units.iter().find(|(_, size)| value >= size * 0.99995)?;
    Some(format!("{:.1} {name}", value / size))
}

/// A time that is left or taken: `0.8 s`, `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".into();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    // Beyond centuries nobody counts.
    let whole = seconds.min(1e11).round() as u64;
    match (whole + 30) / 60 {
        _ if whole < 90 => format!("{whole} s"),
        minutes @ 0..60 => format!("{minutes} min"),
        minutes @ 60..2880 => format!("{} h {:02} min", minutes / 60, minutes % 60),
        minutes => format!("{} d {:02} h", minutes / 1440, minutes % 1440 / 60),
    }
}

/// Bytes in hexadecimal digits, two a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whatever a text holds, on one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The known word nearest to a mistyped one, if any is near.
pub fn similar<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|&candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 3)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        assert_eq!(
            [999, 1_000, 999_999, 29_400_000, 2_680_000_000].map(bytes),
            ["999 B", "1.0 kB", "1.0 MB", "29.4 MB", "2.7 GB"]
        );
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
        assert_eq!(
            [12, 29_300_000, 1_345_298_624].map(parameters),
            ["12", "29.3 M", "1.3 B"]
        );
        assert_eq!(grouped(1_345_298_624), "1,345,298,624");
        assert_eq!(
            [grouped(0), grouped(999), grouped(1000)],
            ["0", "999", "1,000"]
        );
        assert_eq!(
            [1, 0, 1200].map(|n| count(n, "picture")),
            ["1 picture", "0 pictures", "1,200 pictures"]
        );
        assert_eq!(count(2, "process"), "2 processes");
        assert_eq!(hex(&[0, 171, 255]), "00abff");
    }

    #[test]
    fn times_are_short_and_grow_steadily() {
        let told = [
            0.83,
            9.96,
            45.0,
            600.0,
            3720.0,
            10_801.0,
            180_000.0,
            f64::NAN,
            -1.0,
        ];
        assert_eq!(
            told.map(duration),
            [
                "0.8 s",
                "10 s",
                "45 s",
                "10 min",
                "1 h 02 min",
                "3 h 00 min",
                "2 d 02 h",
                "–",
                "–"
            ]
        );
        assert_eq!([89.0, 90.0].map(duration), ["89 s", "2 min"]);
        assert_eq!([3569.0, 3570.0].map(duration), ["59 min", "1 h 00 min"]);
        assert_eq!(
            [172_769.0, 172_770.0].map(duration),
            ["47 h 59 min", "2 d 00 h"]
        );
    }

    #[test]
    fn lines_stay_one() {
        assert_eq!(one_line("a\n  b\tc"), "a b c");
    }

    #[test]
    fn mistyped_words_are_found() {
        assert_eq!(similar("batsh", &["batch", "steps"]), Some("batch"));
        assert_eq!(similar("setps", &["batch", "steps"]), Some("steps"));
        assert_eq!(similar("colour", &["batch", "steps"]), None);
    }
}
