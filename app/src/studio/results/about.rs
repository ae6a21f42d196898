//! The recipe of the current picture, for people and for the command line.

use std::path::Path;

use egui::{Ui, vec2};
use mmface_engine::job::Condition;
use mmface_engine::provenance::Recipe;

use super::State;
use super::window_place::window_place;
use super::{ResultsCommand, library, restore};
use crate::studio::context::Context;
use crate::studio::toast::Toast;
use crate::studio::widgets::heading;

/// Values that stand above the table.
const TEXTS: [&str; 2] = ["prompt", "negative"];

/// The window.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The picture in the library.
    pub file: String,
    /// Its recipe; `None` while it is read.
    pub recipe: Option<Recipe>,
}

/// Opens or closes the window.
pub fn toggle(state: &mut State, cx: &mut Context) {
    if state.about.take().is_some() {
        return;
    }
    if let Some(entry) = super::current(state, cx) {
        open(state, cx, entry.file);
    }
}

/// The window, if it is open, goes on to another picture.
pub fn follow(state: &mut State, cx: &mut Context, file: &str) {
    if state.about.as_ref().is_some_and(|about| about.file != file) {
        open(state, cx, file.to_string());
    }
}

fn open(state: &mut State, cx: &mut Context, file: String) {
    state.about = Some(Window {
        file: file.clone(),
        recipe: None,
    });
    restore::with_recipe(state, cx, &file.clone(), move |state, _, recipe| {
        if let Some(about) = &mut state.about
            && about.file == file
        {
            about.recipe = Some(recipe);
        }
    });
}

/// Copies a command line that draws the current picture.
pub fn copy_command(state: &mut State, cx: &mut Context) {
    let Some(entry) = super::current(state, cx) else {
        return;
    };
    let path = library(state, cx).path(&entry.file);
    restore::with_recipe(state, cx, &entry.file, move |_, cx, recipe| {
        cx.ctx.copy_text(command_line(&recipe, &path));
        cx.tell(Toast::Success("the command line is copied".into()));
    });
}

/// A command line that draws a picture. A condition or a branch lies in the picture's own file, so
/// `replay` reads it from there; what follows nothing is drawn by `generate`.
pub fn command_line(recipe: &Recipe, picture: &Path) -> String {
    let job = &recipe.job;
    if job.condition != Condition::None || job.fork.is_some() {
        return format!("mmface replay {}", quoted(&picture.to_string_lossy()));
    }
    let mut words = "mmface generate --no-condition".to_string();
    for value in job.draw.values() {
        if !value.text.is_empty() {
            words += &format!(" --{} {}", value.option, quoted(&value.text));
        }
    }
    if !recipe.model.is_empty() {
        words += &format!(" --model {}", quoted(&recipe.model));
    }
    words
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Draws the window.
pub fn show_window(ctx: &egui::Context, state: &State, cx: &Context) {
    let Some(about) = &state.about else {
        return;
    };
    let mut open = true;
    egui::Window::new("About this picture")
        .open(&mut open)
        .default_size(vec2(360.0, 420.0))
        .default_pos(window_place(ctx))
        .collapsible(false)
        .vscroll(true)
        .show(ctx, |ui| match &about.recipe {
            Some(recipe) => contents(ui, cx, &about.file, recipe),
            None => {
                ui.label("Reading …");
            }
        });
    if !open {
        cx.emit(ResultsCommand::About);
    }
}

fn contents(ui: &mut Ui, cx: &Context, file: &str, recipe: &Recipe) {
    // First, so that they are in sight however long the prompt is.
    ui.horizontal_wrapped(|ui| {
        for (title, command) in [
            ("Bring back", ResultsCommand::Restore),
            ("Draw again", ResultsCommand::Again),
            ("Copy prompt", ResultsCommand::CopyPrompt),
            ("Copy command line", ResultsCommand::CopyCommand),
            ("Export …", ResultsCommand::Export),
        ] {
            if ui.button(title).clicked() {
                cx.emit(command);
            }
        }
    });
    let job = &recipe.job;
    heading(ui, "Prompt");
    ui.label(if job.draw.prompt.is_empty() {
        "None"
    } else {
        &job.draw.prompt
    });
    if !job.draw.negative.is_empty() {
        heading(ui, "Negative prompt");
        ui.label(&job.draw.negative);
    }
    if let Some(template) = &recipe.template {
        heading(ui, "Sweep");
        ui.label(template);
    }
    heading(ui, "Settings");
    let made = match cx.facts.model.ready() {
        Some(loaded) if loaded.sha256 == recipe.sha256 => "yes",
        Some(_) => "no, by other weights",
        None => "no model is loaded",
    };
    let mut rows: Vec<_> = job
        .draw
        .values()
        .into_iter()
        .filter(|value| !TEXTS.contains(&value.option))
        .map(|value| (value.title, value.shown))
        .collect();
    if let Some(fork) = &job.fork {
        rows.push(("Branches off", format!("after step {}", fork.step)));
    }
    rows.extend([
        ("Follows", job.condition.summary()),
        ("Model", recipe.model.clone()),
        ("Made by the loaded model", made.to_string()),
        ("Weights", recipe.sha256.chars().take(16).collect()),
        (
            "Computed on",
            format!(
                "{}, {:?} products, {:?} weights",
                recipe.device, recipe.precision, recipe.storage
            ),
        ),
        ("Program", format!("MMFace Studio {}", recipe.version)),
        ("File", file.to_string()),
    ]);
    egui::Grid::new("recipe")
        .num_columns(2)
        .striped(true)
        .show(ui, |ui| {
            for (name, value) in rows {
                ui.weak(name);
                ui.add(egui::Label::new(value).wrap());
                ui.end_row();
            }
        });
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use mmface_engine::contract::ModelSummary;
    use mmface_engine::job::{Draw, Guide, Job};
    use mmface_engine::labels::LabelImage;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Sub,
    }

    #[derive(clap::Subcommand)]
    enum Sub {
        Generate(crate::cli::generate::Arguments),
    }

    fn recipe(job: Job) -> Recipe {
        let model = ModelSummary {
            name: "demo".into(),
            ..ModelSummary::default()
        };
        Recipe::new(job, &model)
    }

    #[test]
    fn command_lines_are_ones_that_the_program_takes() {
        let job = Job {
            draw: Draw {
                prompt: "it's a face".into(),
                negative: "hat".into(),
                seed: 7,
                guide: Guide::WordsAndDrawing,
                interval: (0.2, 0.8),
                ..Draw::default()
            },
            ..Job::default()
        };
        let line = command_line(&recipe(job), Path::new("/x/a b.png"));
        assert!(line.contains(r"--prompt 'it'\''s a face'"), "{line}");
        // What a shell makes of it.
        let words = line.replace(r"'it'\''s a face'", "PROMPT");
        let words = words.split(' ').map(|word| {
            if word == "PROMPT" {
                "it's a face"
            } else {
                word
            }
        });
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        let masked = Job {
            condition: Condition::Mask(LabelImage::filled(64, 64, 1)),
            ..Job::default()
        };
        let line = command_line(&recipe(masked), Path::new("/x/a b.png"));
        assert_eq!(line, "mmface replay '/x/a b.png'");
    }
}
