//! A report for whoever mends the program: what runs here and what was said last. The name of the
//! home folder and the prompts stay out of it unless the person wants them in.

use std::path::Path;

use super::State;
use crate::studio::context::Context;
use crate::studio::settings::EngineSettings;
use crate::studio::toast::Toast;

/// Messages that a report repeats.
const MESSAGES: usize = 40;
/// Beginnings of prompts that messages quote are this long.
const QUOTED: usize = 30;
/// Shorter texts are no secret and occur everywhere.
const SECRET: usize = 4;

/// The report; `whole` leaves nothing out.
pub fn text(state: &State, cx: &Context, whole: bool) -> String {
    let engine = EngineSettings::of(&cx.settings);
    let mut lines = vec![
        format!(
            "MMFace Studio {} on {} {}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
        format!(
            "Engine: {}, {} threads of {}, {:?} numbers, {:?} previews",
            engine.processor.title(),
            match engine.threads {
                0 => "all".to_string(),
                threads => threads.to_string(),
            },
            crate::studio::settings::engine::most_threads(),
            engine.precision,
            engine.previews
        ),
        crate::studio::processor::reason(cx),
        match cx.facts.model.ready() {
            Some(model) => format!("Model: {} ({})", model.name, model.sha256),
            None => "Model: none".into(),
        },
        match &state.adapter {
            Some(adapter) => format!("Window: {}, {}", adapter.name, adapter.backend),
            None => "Window: unknown".into(),
        },
        format!(
            "Canvas: {} pixels a side, scale {:.0} %",
            cx.document.painter.drawing().side(),
            cx.settings.scale * 100.0
        ),
        "Last messages:".into(),
    ];
    let log = &cx.toasts.log;
    let last = log.iter().skip(log.len().saturating_sub(MESSAGES));
    lines.extend(last.map(|toast| {
        let kind = match toast {
            Toast::Info(_) => "info",
            Toast::Success(_) => "done",
            Toast::Warning(_) => "warning",
            Toast::Error(_) => "error",
        };
        format!("- {kind}: {}", toast.text())
    }));
    let text = lines.join("\n") + "\n";
    if whole {
        return text;
    }
    let request = &cx.document.request;
    let prompts = [request.draw.prompt.clone(), request.draw.negative.clone()];
    let used = cx.facts.used_prompts.iter().cloned();
    let prompts: Vec<String> = prompts.into_iter().chain(used).collect();
    let home = directories::UserDirs::new();
    redacted(&text, home.as_ref().map(|user| user.home_dir()), &prompts)
}

/// The text without the home folder's name and the prompts.
pub fn redacted(text: &str, home: Option<&Path>, prompts: &[String]) -> String {
    let mut text = text.to_string();
    // Prompts first: one may name a folder. Long ones before those that they contain.
    let mut secrets: Vec<String> = prompts
        .iter()
        .flat_map(|prompt| {
            let line = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
            let quoted = line.chars().take(QUOTED).collect();
            [prompt.trim().to_string(), line, quoted]
        })
        .filter(|secret| secret.chars().count() >= SECRET)
        .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    for secret in &secrets {
        text = text.replace(secret, "(prompt)");
    }
    let home = home.map(|home| home.to_string_lossy().into_owned());
    if let Some(home) = home.filter(|home| home.len() > 1) {
        text = text.replace(&home, "~");
    }
    text
}

/// Copies the report.
pub(super) fn copy(state: &mut State, cx: &mut Context, whole: bool) {
    cx.ctx.copy_text(text(state, cx, whole));
    let text = match whole {
        true => "the report is copied, with your folders and prompts in it",
        false => "the report is copied; home folder and prompts are left out",
    };
    cx.tell(Toast::Success(text.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_and_prompts_are_left_out() {
        let prompts = ["a very old queen with a heavy golden crown", "cat", ""].map(String::from);
        let text = "error: cannot write (/home/ada/Pictures/x.png)\n\
                    error: “a very old queen with a heavy ” was not drawn\n\
                    a very old queen with a heavy golden crown\n\
                    concatenate";
        let told = redacted(text, Some(Path::new("/home/ada")), &prompts);
        assert!(told.contains("(~/Pictures/x.png)"), "{told}");
        assert!(!told.contains("queen") && !told.contains("ada"), "{told}");
        assert!(told.contains("concatenate"), "short words are everywhere");
        assert_eq!(redacted("x / y", Some(Path::new("/")), &[]), "x / y");
    }
}
