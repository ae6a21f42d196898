//! What a person says about a run: its configuration, its folders. Kept in the settings, so that
//! the next session begins with it.

use std::path::{Path, PathBuf};

use mmface_run_protocol::arguments::{STDIN, flag, subcommand};
use mmface_run_protocol::frozen_parts;
use serde::{Deserialize, Serialize};

/// The fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    /// The trainer program; empty to look for it.
    pub program: String,
    /// The configuration is a file, not a preset.
    pub from_file: bool,
    /// Name of the preset.
    pub preset: String,
    /// The configuration file: RON, or the authors' YAML.
    pub config: String,
    /// Folder of the data.
    pub data: String,
    /// Folder of the frozen autoencoder and text tower.
    pub weights: String,
    /// Folder of prepared data.
    pub work: String,
    /// Folder of the run.
    pub out: String,
    /// A run, checkpoint or file whose weights it starts from.
    pub init_from: String,
    /// Goes on although parts of samples are missing.
    pub allow_missing: bool,
    /// Threads; 0 for all.
    pub threads: usize,
}

/// A field that names a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The trainer program.
    Program,
    /// The configuration file.
    Config,
    /// The data.
    Data,
    /// The frozen parts.
    Weights,
    /// Prepared data.
    Work,
    /// The run.
    Out,
    /// The weights to start from.
    InitFrom,
}

impl Field {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Program => "Trainer program",
            Self::Config => "Configuration file",
            Self::Data => "Data",
            Self::Weights => "Frozen parts",
            Self::Work => "Prepared data",
            Self::Out => "Run",
            Self::InitFrom => "Start from",
        }
    }

    /// What belongs into it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Program => "The program mmface-trainer",
            Self::Config => "A configuration (.ron), or one of the authors' (.yaml)",
            Self::Data => {
                "A folder of WebDataset tars, of images, masks and sketches, or of .pt latents"
            }
            Self::Weights => {
                "The folder with vae/ and text/: needed to prepare data, for samples, and to use a checkpoint"
            }
            Self::Work => "Where latents and text features are kept; it can be made again",
            Self::Out => "The folder of the run: checkpoints, curves, samples",
            Self::InitFrom => "Optional: a run or checkpoint of the stage before",
        }
    }

    /// What an empty field shows.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Program => "found by itself",
            Self::Config => "a file",
            Self::Data | Self::Work | Self::Out => "a folder",
            Self::Weights => "a folder with vae/ and text/",
            Self::InitFrom => "random weights",
        }
    }
}

/// What is wrong with a field, in one line each.
pub type Problems = Vec<(Field, String)>;

impl Form {
    /// The text of a field.
    pub fn text(&mut self, field: Field) -> &mut String {
        match field {
            Field::Program => &mut self.program,
            Field::Config => &mut self.config,
            Field::Data => &mut self.data,
            Field::Weights => &mut self.weights,
            Field::Work => &mut self.work,
            Field::Out => &mut self.out,
            Field::InitFrom => &mut self.init_from,
        }
    }

    /// The folder of the run, if one is named.
    pub fn out(&self) -> Option<PathBuf> {
        path(&self.out)
    }

    /// Looks at the disk: what cannot work. With `all`, empty fields that are needed count too.
    pub fn problems(&self, all: bool) -> Problems {
        let mut found = Problems::new();
        let mut wrong = |field: Field, what: &str| found.push((field, what.to_owned()));
        if self.from_file {
            match path(&self.config) {
                Some(path) if !path.is_file() => wrong(Field::Config, "there is no such file"),
                None if all => wrong(Field::Config, "name a file, or choose a preset"),
                _ => {}
            }
        }
        match path(&self.data) {
            Some(path) if !path.is_dir() => wrong(Field::Data, "there is no such folder"),
            _ => {}
        }
        if let Some(path) = path(&self.weights) {
            if !path.is_dir() {
                wrong(Field::Weights, "there is no such folder");
            } else if !frozen_parts::autoencoder(&path).is_dir()
                || !frozen_parts::text(&path).is_dir()
            {
                wrong(Field::Weights, "vae/ and text/ are not both in this folder");
            }
        }
        match path(&self.work) {
            Some(path) if path.is_file() => wrong(Field::Work, "this is a file, not a folder"),
            None if all => wrong(Field::Work, "name a folder; it may be a new one"),
            _ => {}
        }
        match path(&self.out) {
            Some(path) if path.is_file() => wrong(Field::Out, "this is a file, not a folder"),
            Some(path) if has_checkpoints(&path) => wrong(
                Field::Out,
                "a run is in there: open it to go on, or name another folder",
            ),
            None if all => wrong(Field::Out, "name a folder; it may be a new one"),
            _ => {}
        }
        if let Some(path) = path(&self.init_from)
            && !path.exists()
        {
            wrong(Field::InitFrom, "there is no such run, checkpoint or file");
        }
        found
    }

    fn configuration(&self) -> [String; 2] {
        let config = self.config.trim();
        if !self.from_file {
            return [flag::PRESET.into(), self.preset.trim().into()];
        }
        let ending = Path::new(config).extension().unwrap_or_default();
        let option = if ending == "yaml" || ending == "yml" {
            flag::CONFIG_PATH
        } else {
            flag::CONFIG
        };
        [option.into(), config.into()]
    }

    fn with(&self, mut arguments: Vec<String>, options: &[(&str, &str)]) -> Vec<String> {
        for (option, value) in options {
            let value = value.trim();
            if !value.is_empty() {
                arguments.extend([(*option).to_owned(), value.to_owned()]);
            }
        }
        arguments
    }

    fn threads(&self) -> String {
        match self.threads {
            0 => String::new(),
            count => count.to_string(),
        }
    }

    /// Arguments that ask for the plan.
    pub fn plan(&self, prepared: bool, probe: bool) -> Vec<String> {
        let mut arguments = vec![subcommand::PLAN.to_owned(), flag::JSON.into()];
        arguments.extend(self.configuration());
        if probe {
            arguments.push(flag::PROBE.into());
        }
        let work = if prepared { self.work.as_str() } else { "" };
        let threads = self.threads();
        self.with(arguments, &[(flag::WORK, work), (flag::THREADS, &threads)])
    }

    /// Arguments that prepare the data.
    pub fn latents(&self) -> Vec<String> {
        let mut arguments = vec![subcommand::LATENTS.to_owned(), flag::JSON.into()];
        arguments.extend(self.configuration());
        if self.allow_missing {
            arguments.push(flag::ALLOW_MISSING.into());
        }
        let threads = self.threads();
        self.with(
            arguments,
            &[
                (flag::DATA, &self.data),
                (flag::WEIGHTS, &self.weights),
                (flag::WORK, &self.work),
                (flag::THREADS, &threads),
            ],
        )
    }

    /// Arguments that start the run.
    pub fn train(&self) -> Vec<String> {
        let mut arguments = self.steered(subcommand::TRAIN);
        arguments.extend(self.configuration());
        let threads = self.threads();
        self.with(
            arguments,
            &[
                (flag::WEIGHTS, &self.weights),
                (flag::WORK, &self.work),
                (flag::OUT, &self.out),
                (flag::INIT_FROM, &self.init_from),
                (flag::THREADS, &threads),
            ],
        )
    }

    /// Arguments that go on with a run.
    pub fn resume(&self, out: &Path) -> Vec<String> {
        let threads = self.threads();
        self.with(
            self.steered(subcommand::RESUME),
            &[
                (flag::WEIGHTS, &self.weights),
                (flag::WORK, &self.work),
                (flag::OUT, &out.display().to_string()),
                (flag::THREADS, &threads),
            ],
        )
    }

    fn steered(&self, command: &str) -> Vec<String> {
        [command, flag::JSON, flag::CONTROL, STDIN]
            .map(str::to_owned)
            .to_vec()
    }
}

fn path(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// Whether a folder holds a whole checkpoint.
pub fn has_checkpoints(folder: &Path) -> bool {
    !crate::studio::checkpoints::on_disk(folder).is_empty()
}

#[cfg(test)]
mod tests {
    use mmface_run_protocol::arguments;

    use super::*;

    fn form(folder: &Path) -> Form {
        let text = |name: &str| folder.join(name).display().to_string();
        Form {
            preset: "demo".into(),
            work: text("work"),
            out: text("run"),
            ..Form::default()
        }
    }

    #[test]
    fn each_problem_stands_beside_its_field() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut form = form(folder.path());
        assert!(form.problems(true).is_empty());
        form.data = folder.path().join("none").display().to_string();
        form.weights = folder.path().display().to_string();
        form.init_from = "nowhere/at/all".into();
        let checkpoint = folder.path().join("run/checkpoint-5");
        std::fs::create_dir_all(&checkpoint).expect("a folder");
        std::fs::write(checkpoint.join("complete"), "").expect("a file");
        let fields: Vec<Field> = form
            .problems(true)
            .iter()
            .map(|(field, _)| *field)
            .collect();
        let wrong = [Field::Data, Field::Weights, Field::Out, Field::InitFrom];
        assert_eq!(fields, wrong);
    }

    #[test]
    fn empty_fields_count_only_when_a_run_is_asked_for() {
        let form = Form::default();
        assert!(form.problems(false).is_empty());
        let fields: Vec<Field> = form
            .problems(true)
            .iter()
            .map(|(field, _)| *field)
            .collect();
        assert_eq!(fields, [Field::Work, Field::Out]);
    }

    #[test]
    fn arguments_follow_the_form() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut form = form(folder.path());
        assert_eq!(
            form.plan(false, true)[..4],
            ["plan", "--json", "--preset", "demo"]
        );
        form.from_file = true;
        form.config = "mine.yaml".into();
        form.threads = 3;
        let train = form.train();
        assert_eq!(
            train[..6],
            [
                "train",
                "--json",
                "--control",
                "stdin",
                "--config_path",
                "mine.yaml"
            ]
        );
        assert!(train.ends_with(&["--threads".into(), "3".into()]));
        assert!(!train.contains(&"--init-from".to_owned()));
        form.config = "mine.ron".into();
        assert!(form.latents().contains(&"--config".to_owned()));
        assert_eq!(form.resume(Path::new("run"))[0], "resume");
    }

    #[test]
    fn only_flags_that_the_trainer_knows_are_passed() {
        let text = || "x".to_owned();
        let mut form = Form {
            preset: text(),
            config: text(),
            data: text(),
            weights: text(),
            work: text(),
            out: text(),
            init_from: text(),
            allow_missing: true,
            threads: 2,
            ..Form::default()
        };
        for (from_file, config) in [(false, "x"), (true, "x.ron"), (true, "x.yaml")] {
            (form.from_file, form.config) = (from_file, config.into());
            let calls = [
                form.plan(true, true),
                form.latents(),
                form.train(),
                form.resume(Path::new("run")),
            ];
            for call in calls {
                let (_, known) = arguments::USED
                    .into_iter()
                    .find(|(subcommand, _)| *subcommand == call[0])
                    .expect("a subcommand of the trainer");
                let flags = call.iter().filter(|word| word.starts_with("--"));
                for flag in flags {
                    assert!(known.contains(&flag.as_str()), "{flag} of {}", call[0]);
                }
            }
        }
    }
}
