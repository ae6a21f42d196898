//! Numbers as people read them, in widths that do not change while they count.

use mmface_run_protocol::Preparing;

/// A whole number with thin groups: `60 000`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// How far a preparation is, from 0 to 1, and in words: `latents at 128: 1 200 of 7 200`.
pub fn preparing(progress: &Preparing) -> (f32, String) {
    (
        progress.done as f32 / progress.of.max(1) as f32,
        format!(
            "{}: {} of {}",
            progress.what,
            grouped(progress.done),
            grouped(progress.of)
        ),
    )
}

/// A time that is left or taken: `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".into();
    }
    // Beyond centuries nobody counts.
    let seconds = seconds.min(1e11).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// An amount of memory: `3.2 GB`.
pub fn bytes(count: u64) -> String {
    mmface_engine::format::bytes(count)
}

/// A small number with three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "–".into(),
        0.0 => "0".into(),
        size if size < 1e-3 => format!("{value:.1e}"),
        size if size < 1.0 => format!("{value:.4}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// Parameters: `29.3 M`, `1.35 B`.
pub fn parameters(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{:.1} K", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", count as f64 / 1e6),
        _ => format!("{:.2} B", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(60_000), "60 000");
        assert_eq!((grouped(999), grouped(0)), ("999".into(), "0".into()));
        assert_eq!(duration(45.0), "45 s");
        assert_eq!(duration(3.0 * 3600.0 + 301.0), "3 h 05 min");
        assert_eq!(duration(50.0 * 3600.0), "2 d 02 h");
        assert_eq!(duration(f64::NAN), "–");
        assert_eq!(
            (short(1.5e-5), short(0.25)),
            ("1.5e-5".into(), "0.2500".into())
        );
        assert_eq!(parameters(1_345_000_000), "1.34 B");
    }
}
