//! The run on a terminal: curves of loss and learning rate, speed, memory, and the last lines.
//!
//! Keys: `p` pauses and continues, `c` writes a checkpoint, `s` draws samples, `q` or Ctrl+C writes a
//! checkpoint and leaves.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::rc::Rc;
use std::time::Duration;

use mmface_engine::format::{bytes, duration};
use mmface_engine::system::interrupt;
use mmface_engine::{Error, Result};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Wrap};

use super::plain::line;
use super::{Sink, Started, Step, TrainCommand, TrainEvent};
use crate::control::Control;

/// Points of a curve; older ones are thinned out.
const POINTS: usize = 2_000;
/// Lines kept.
const LINES: usize = 100;

/// What the screen shows, as plain data.
#[derive(Debug, Default)]
pub struct View {
    plan: Started,
    last: Option<Step>,
    loss: Vec<(f64, f64)>,
    smooth: Vec<(f64, f64)>,
    rate: Vec<(f64, f64)>,
    heldout: Vec<(f64, f64)>,
    lines: VecDeque<String>,
    paused: bool,
}

impl View {
    /// Takes an event in.
    pub fn on_event(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::Started(plan) => self.plan = plan.clone(),
            TrainEvent::Step(step) => {
                let x = step.step as f64;
                push(&mut self.loss, x, step.loss);
                push(&mut self.smooth, x, step.smooth);
                push(&mut self.rate, x, step.rate);
                self.last = Some(step.clone());
            }
            TrainEvent::HeldOut(report) => {
                push(&mut self.heldout, report.step as f64, report.loss);
            }
            TrainEvent::Paused { .. } => self.paused = true,
            TrainEvent::Resumed { .. } => self.paused = false,
            _ => {}
        }
        if !matches!(event, TrainEvent::Step(_)) {
            self.lines.extend(line(event).lines().map(str::to_owned));
            while self.lines.len() > LINES {
                self.lines.pop_front();
            }
        }
    }

    /// Draws everything into the frame.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let step = self.last.clone().unwrap_or_default();
        let done = step.step.max(self.plan.step);
        let title = format!(
            "{}{}  update {done} of {}  epoch {:.2}",
            self.plan.name,
            if self.paused { "  PAUSED" } else { "" },
            self.plan.steps,
            step.epoch
        );
        let figures = format!(
            "loss {:.4}  smooth {:.4}  lr {:.2e}  grad norm {:.3}  {:.2} it/s  {:.1} samples/s  memory {}  ETA {}",
            step.loss,
            step.smooth,
            step.rate,
            step.grad_norm,
            step.updates_per_second,
            step.samples_per_second,
            bytes(step.memory),
            duration(step.eta_seconds)
        );
        // A narrow terminal gets the figures on several lines, not half of them.
        let width = usize::from(frame.area().width.max(1));
        let lines = 1 + figures.chars().count().div_ceil(width) + usize::from(width < 100);
        let [head, bar, curves, log, help] = Layout::vertical([
            Constraint::Length(u16::try_from(lines.min(6)).unwrap_or(6)),
            Constraint::Length(1),
            Constraint::Min(8),
            Constraint::Length(8),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(
            Paragraph::new(vec![Line::from(title), Line::from(figures)]).wrap(Wrap { trim: true }),
            head,
        );
        let share = done as f64 / self.plan.steps.max(1) as f64;
        frame.render_widget(
            Gauge::default()
                .gauge_style(Style::new().fg(Color::Cyan))
                .ratio(share.clamp(0.0, 1.0)),
            bar,
        );
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(65), Constraint::Percentage(35)])
                .areas(curves);
        chart(
            frame,
            left,
            "loss, smoothed loss, held-out loss",
            &[
                (&self.loss, Color::DarkGray, Marker::Dot),
                (&self.smooth, Color::Cyan, Marker::Braille),
                (&self.heldout, Color::Yellow, Marker::Braille),
            ],
        );
        chart(
            frame,
            right,
            "learning rate",
            &[(&self.rate, Color::Green, Marker::Braille)],
        );
        let room = usize::from(log.height.saturating_sub(2));
        let lines: Vec<Line<'_>> = self
            .lines
            .iter()
            .skip(self.lines.len().saturating_sub(room))
            .map(|line| Line::from(line.as_str()))
            .collect();
        frame.render_widget(
            Paragraph::new(lines).block(Block::bordered().title("events")),
            log,
        );
        frame.render_widget(
            Paragraph::new("p pause or continue   c checkpoint   s samples   q save and leave"),
            help,
        );
    }
}

/// Appends a point; a curve that grows too long keeps every other one.
fn push(curve: &mut Vec<(f64, f64)>, x: f64, y: f64) {
    if !y.is_finite() {
        return;
    }
    curve.push((x, y));
    if curve.len() > POINTS {
        let mut index = 0;
        curve.retain(|_| {
            index += 1;
            index % 2 == 0
        });
    }
}

type Curve<'a> = (&'a Vec<(f64, f64)>, Color, Marker);

fn chart(frame: &mut Frame<'_>, area: Rect, title: &str, curves: &[Curve<'_>]) {
    let points = || {
        curves
            .iter()
            .flat_map(|(points, ..)| points.iter().copied())
    };
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        match (low.is_finite(), high > low) {
            (false, _) => [0.0, 1.0],
            (true, false) => [low - 0.5 * low.abs() - 1e-9, high + 0.5 * high.abs() + 1e-9],
            (true, true) => [low, high],
        }
    };
    let x = bounds(&mut points().map(|point| point.0));
    let y = bounds(&mut points().map(|point| point.1));
    let sets = curves
        .iter()
        .map(|(points, colour, marker)| {
            Dataset::default()
                .marker(*marker)
                .graph_type(GraphType::Line)
                .style(Style::new().fg(*colour))
                .data(points)
        })
        .collect();
    let label = |value: f64| {
        if value != 0.0 && value.abs() < 0.01 {
            format!("{value:.1e}")
        } else if value.abs() >= 100.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.3}")
        }
    };
    let chart = Chart::new(sets)
        .block(Block::bordered().title(title.to_owned()))
        .x_axis(Axis::default().bounds(x).labels(x.map(label)))
        .y_axis(Axis::default().bounds(y).labels(y.map(label)));
    frame.render_widget(chart, area);
}

/// The terminal with the view on it; the terminal is as it was when the last handle goes.
struct Terminal {
    view: View,
    terminal: ratatui::DefaultTerminal,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Both ends of the screen: it shows events, and its keys are requests.
#[derive(Clone)]
pub struct Screen(Rc<RefCell<Terminal>>);

impl Screen {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// When standard output is no terminal.
    pub fn open() -> Result<Self> {
        let refused = |what: &str| {
            Error::Argument(format!(
                "--ui tui needs a terminal ({what}); use --ui plain or --ui json"
            ))
        };
        if !std::io::stdout().is_terminal() {
            return Err(refused("standard output is none"));
        }
        let terminal = ratatui::try_init().map_err(|error| refused(&error.to_string()))?;
        Ok(Self(Rc::new(RefCell::new(Terminal {
            view: View::default(),
            terminal,
        }))))
    }

    fn draw(&self) {
        let Terminal { view, terminal } = &mut *self.0.borrow_mut();
        // A terminal that cannot be drawn on must not end a run.
        terminal.draw(|frame| view.draw(frame)).ok();
    }
}

impl Sink for Screen {
    fn on_event(&mut self, event: &TrainEvent) -> Result<()> {
        self.0.borrow_mut().view.on_event(event);
        self.draw();
        Ok(())
    }
}

impl Control for Screen {
    fn next_request(&mut self) -> Option<TrainCommand> {
        if interrupt::asked() {
            return Some(TrainCommand::Stop);
        }
        while event::poll(Duration::ZERO).unwrap_or(false) {
            match event::read().ok()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => {
                    let control = key.modifiers.contains(KeyModifiers::CONTROL);
                    let paused = self.0.borrow().view.paused;
                    if let Some(command) = command(key.code, control, paused) {
                        return Some(command);
                    }
                }
                Event::Resize(..) => self.draw(),
                _ => {}
            }
        }
        None
    }
}

/// What a key asks for.
fn command(key: KeyCode, control: bool, paused: bool) -> Option<TrainCommand> {
    match (key, control) {
        (KeyCode::Char('c'), true) | (KeyCode::Char('q') | KeyCode::Esc, false) => {
            Some(TrainCommand::Stop)
        }
        (KeyCode::Char('p'), false) if paused => Some(TrainCommand::Resume),
        (KeyCode::Char('p'), false) => Some(TrainCommand::Pause),
        (KeyCode::Char('c'), false) => Some(TrainCommand::Checkpoint),
        (KeyCode::Char('s'), false) => Some(TrainCommand::Sample),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mmface_run_protocol::HeldOutReport;
    use ratatui::backend::TestBackend;

    use super::*;

    fn shown(view: &View, width: u16, height: u16) -> String {
        let mut terminal = ratatui::Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal
            .backend()
            .buffer()
            .content()
            .iter()
            .map(|cell| cell.symbol())
            .collect()
    }

    #[test]
    fn figures_curves_and_lines_are_shown_at_any_size() {
        let mut view = View::default();
        shown(&view, 80, 24);
        view.on_event(&TrainEvent::Started(Started {
            name: "demo".into(),
            steps: 4000,
            ..Started::default()
        }));
        for step in 1..=3000u64 {
            view.on_event(&TrainEvent::Step(Step {
                step,
                loss: 1.0 / step as f64,
                smooth: 0.5,
                rate: 1e-4,
                grad_norm: 0.25,
                samples_per_second: 9.5,
                eta_seconds: 3720.0,
                memory: 2_000_000_000,
                ..Step::default()
            }));
        }
        view.on_event(&TrainEvent::Step(Step {
            step: 3001,
            loss: f64::NAN,
            eta_seconds: 3720.0,
            memory: 2_000_000_000,
            ..Step::default()
        }));
        view.on_event(&TrainEvent::Paused {
            step: 3001,
            reason: "the disk is full".into(),
        });
        assert!(view.loss.len() <= POINTS);
        let text = shown(&view, 160, 40);
        for part in [
            "demo  PAUSED",
            "update 3001 of 4000",
            "learning rate",
            "grad norm",
            "ETA",
            "paused: the disk is full",
        ] {
            assert!(text.contains(part), "{part} is not shown");
        }
        for width in [1, 2, 3, 7, 20, 41, 80, 200] {
            for height in [1, 2, 3, 5, 9, 14, 24] {
                shown(&view, width, height);
            }
        }
        // Nothing is cut off on a terminal of the usual size.
        let text = shown(&view, 80, 24);
        for part in [
            "it/s",
            "samples/s",
            "memory 2.0 GB",
            "ETA 1 h 02 min",
            "learning rate",
        ] {
            assert!(text.contains(part), "{part} is not shown on 80 × 24");
        }
    }

    #[test]
    fn both_plots_have_curves_in_their_colours() {
        let mut view = View::default();
        let coloured = |view: &View, colour: Color| {
            let mut terminal = ratatui::Terminal::new(TestBackend::new(120, 40)).unwrap();
            terminal.draw(|frame| view.draw(frame)).unwrap();
            let cells = terminal.backend().buffer().content();
            let braille = |symbol: &str| {
                symbol
                    .chars()
                    .any(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
            };
            cells
                .iter()
                .filter(|cell| cell.fg == colour && braille(cell.symbol()))
                .count()
        };
        assert_eq!(coloured(&view, Color::Green), 0);
        for step in 1..=50u64 {
            view.on_event(&TrainEvent::Step(Step {
                step,
                loss: 2.0 / step as f64,
                smooth: 1.0 / step as f64,
                rate: 1e-4 * step as f64,
                ..Step::default()
            }));
            if step % 10 == 0 {
                view.on_event(&TrainEvent::HeldOut(HeldOutReport {
                    step,
                    loss: 3.0 / step as f64,
                    mask: Vec::new(),
                    sketch: Vec::new(),
                }));
            }
        }
        // Smoothed loss, held-out loss, learning rate.
        for colour in [Color::Cyan, Color::Yellow, Color::Green] {
            assert!(coloured(&view, colour) > 10, "no curve in {colour}");
        }
    }

    #[test]
    fn keys_ask_for_what_the_help_line_says() {
        let key = |c| command(KeyCode::Char(c), false, false);
        assert_eq!(key('p'), Some(TrainCommand::Pause));
        assert_eq!(
            command(KeyCode::Char('p'), false, true),
            Some(TrainCommand::Resume)
        );
        assert_eq!(key('c'), Some(TrainCommand::Checkpoint));
        assert_eq!(
            command(KeyCode::Char('c'), true, false),
            Some(TrainCommand::Stop)
        );
        assert_eq!(key('s'), Some(TrainCommand::Sample));
        assert_eq!(key('q'), Some(TrainCommand::Stop));
        assert_eq!(
            command(KeyCode::Esc, false, false),
            Some(TrainCommand::Stop)
        );
        assert_eq!(key('x'), None);
    }
}
