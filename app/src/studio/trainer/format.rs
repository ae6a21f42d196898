//! Numbers as people read them, in widths that do not change while they count.

pub(super) use mmface_engine::format::{bytes, duration, grouped, parameters};
use mmface_run_protocol::Preparing;

/// How far a preparation is, from 0 to 1, and in words: `latents at 128: 1,200 of 7,200`.
pub(super) fn preparing(progress: &Preparing) -> (f32, String) {
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

/// A small number with three digits that count.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "–".into(),
        0.0 => "0".into(),
        size if size < 1e-3 => format!("{value:.1e}"),
        size if size < 1.0 => format!("{value:.4}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            (short(1.5e-5), short(0.25)),
            ("1.5e-5".into(), "0.2500".into())
        );
    }
}
