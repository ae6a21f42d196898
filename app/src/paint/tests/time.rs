//! Times, printed on demand.

use super::super::*;
use super::at;

#[test]
#[ignore = "measures, does not check: cargo test --lib slow_ -- --ignored --nocapture"]
fn slow_time_of_a_sample() {
    let spiral = |i: usize| {
        let turn = i as f32 * 0.05;
        (
            512.0 + 3.0 * turn * 8.0 * turn.cos(),
            512.0 + 3.0 * turn * 8.0 * turn.sin(),
        )
    };
    for (layer, mirror) in [
        (Layer::Mask, false),
        (Layer::Mask, true),
        (Layer::Sketch, false),
    ] {
        for radius in [8.0, 24.0, 100.0] {
            let mut painter = Painter::new(Drawing::new(1024));
            painter.settings.layer = layer;
            painter.settings.mirror.on = mirror;
            painter.settings.set_radius(radius);
            let mut times = Vec::new();
            painter.press(at(512.0, 512.0), Button::Primary);
            for i in 0..400 {
                let (x, y) = spiral(i);
                let start = std::time::Instant::now();
                painter.drag(Sample::mouse(x, y, i as f32 * 0.008));
                times.push(start.elapsed());
            }
            let start = std::time::Instant::now();
            painter.release();
            let release = start.elapsed();
            times.sort();
            println!(
                "{layer:?} mirror {mirror} radius {radius}: median {:?}, p95 {:?}, release {release:?}",
                times[200], times[380]
            );
        }
    }
    for gap in [0, 3, 12] {
        // The best of five: other work on the machine is not ours.
        let mut times: Vec<_> = (0..5)
            .map(|_| {
                let mut painter = Painter::new(Drawing::new(1024));
                painter.settings.tool = Tool::Fill;
                painter.settings.fill_gap = gap;
                let start = std::time::Instant::now();
                painter.fill_preview(5.0, 5.0);
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("fill preview of all of 1024, gap {gap}: {:?}", times[0]);
    }
}
