//! A stand-in for `mmface-trainer`: a shell script in a folder of its own, steered by flag files.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::expect_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::studio::StudioApp;
use mmface::studio::trainer::Phase;
use mmface_engine::weights::Registry;
use mmface_engine::weights::registry::{Origin, Root};
use mmface_run_protocol::checkpoint_layout::{self, MARKER};
use mmface_run_protocol::{Started, Step, TrainEvent, run_folder};

use super::common::{click, studio, wait_for};

/// Speaks the trainer's language: `plan`, `latents`, `export`, `train`, `resume`.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
out=
work=
for word; do
  [ "$before" = --out ] && out=$word
  [ "$before" = --work ] && work=$word
  before=$word
done
while_set() { while [ -e "$here/$1" ]; do sleep 0.02; done; }
event() { echo "{\"event\":$1}"; }
step() {
  event "\"step\",\"step\":$1,\"loss\":0.3,\"smooth\":0.2,\"rate\":0.001,\"grad_norm\":1.5,\"updates_per_second\":2.5,\"samples_per_second\":40,\"eta_seconds\":4000,\"memory\":2000000000,\"epoch\":1.5"
}
checkpoint() {
  mkdir -p "$out/checkpoint-$1"
  echo weights > "$out/checkpoint-$1/model.safetensors"
  : > "$out/checkpoint-$1/complete"
  event "\"checkpoint\",\"step\":$1,\"path\":\"elsewhere\",\"heldout\":0.5,\"bytes\":8"
}
sample() {
  mkdir -p "$out/samples"
  for kind in raw averaged; do
    cp "$here/sheet.png" "$out/samples/step-$1-$kind.png"
    event "\"sample\",\"step\":$1,\"path\":\"samples/step-$1-$kind.png\",\"weights\":\"$kind\""
  done
}
case $1 in
presets)
  echo '[{"name":"tiny","objective":"flow","resolution":128,"batch":16,"steps":1200},{"name":"large","objective":"flow","resolution":256,"batch":16,"steps":1200}]' ;;
plan)
  if [ -n "$work" ] && [ ! -e "$here/prepared" ]; then
    echo 'error: no latents here; run `mmface-trainer latents`' >&2
    exit 1
  fi
  time=null
  case "$*" in *--probe*) time=7200; while_set long-probe ;; esac
  echo "{\"name\":\"tiny\",\"objective\":\"flow\",\"parameters\":14600000,\"resolution\":128,\"samples\":2000,\"batch\":16,\"accumulation\":1,\"steps_per_epoch\":125,\"steps\":1200,\"epochs\":9.6,\"rates\":[[0,0.0],[100,0.001],[600,0.0008],[1199,0.0]],\"memory_total\":2100000000,\"checkpoint_bytes\":234000000,\"disk_checkpoints\":936000000,\"disk_latents\":390000000,\"seconds_per_update\":6.0,\"seconds\":$time}" ;;
latents)
  event '"data","split":"train","samples":2000'
  event '"preparing","what":"train latents at 128","done":1000,"of":2000,"per_second":9.5'
  trap 'echo "error: interrupted; what is encoded is kept" >&2; exit 1' TERM
  while_set long-latents
  : > "$here/prepared" ;;
export) ;;
train|resume)
  echo 'some library says hello'
  mkdir -p "$out"
  first=0
  [ "$1" = resume ] && first=30
  event "\"started\",\"name\":\"tiny\",\"step\":$first,\"steps\":1200,\"objective\":\"flow\",\"batch\":16,\"samples\":2000"
  last=$first
  for more in 10 20 30; do
    [ "$first" = 30 ] && [ "$more" = 30 ] && continue
    last=$((first + more))
    step $last
  done
  event "\"held_out\",\"step\":$last,\"loss\":0.5,\"mask\":[0.5],\"sketch\":[0.5]"
  if [ -e "$here/die" ]; then
    checkpoint $last
    echo 'error: the disk is on fire' >&2
    kill -SEGV $$
  fi
  while read -r line; do
    line=${line#*:\"}
    line=${line%\"*}
    echo "$line" >> "$here/commands"
    case $line in
    pause) event "\"paused\",\"step\":$last,\"reason\":\"asked to pause\"" ;;
    resume) event "\"resumed\",\"step\":$last" ;;
    checkpoint) checkpoint $last ;;
    sample) sample $last ;;
    stop) checkpoint $last
      event "\"stopped\",\"step\":$last,\"reason\":\"asked to stop\""
      exit 0 ;;
    esac
  done
  # Nobody steers any more: it goes on, and says so to whoever may hear it.
  step $((last + 10))
  echo 'still here' >&2
  : > "$here/outlived" ;;
esac
"#;

/// The script and what it noted.
pub(crate) struct Fake {
    folder: PathBuf,
}

impl Fake {
    /// Writes the script below `home`, and settings that name it.
    pub(crate) fn new(home: &Path) -> Self {
        let folder = home.join("fake");
        for name in ["fake", "config", "data", "frozen/vae", "frozen/text"] {
            std::fs::create_dir_all(home.join(name)).expect("a folder");
        }
        let fake = Self { folder };
        std::fs::write(fake.program(), SCRIPT).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(fake.program(), mode).expect("a program");
        let sheet = image::RgbImage::from_fn(64, 48, |x, y| {
            image::Rgb([(x * 4) as u8, (y * 5) as u8, 120])
        });
        sheet
            .save(fake.folder.join("sheet.png"))
            .expect("a picture");
        let at = |name: &str| home.join(name).display().to_string();
        let settings = format!(
            "(notice_read: true, trainer: (program: {:?}, preset: \"tiny\", data: {:?}, weights: {:?}, work: {:?}, out: {:?}))",
            fake.program(),
            at("data"),
            at("frozen"),
            at("work"),
            at("run"),
        );
        std::fs::write(home.join("config/settings.ron"), settings).expect("a file");
        fake
    }

    /// The script.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.join("mmface-trainer")
    }

    /// A studio that uses it.
    pub(crate) fn studio(&self, home: &Path) -> Harness<'static, StudioApp> {
        studio(home)
    }

    /// Sets a flag.
    pub(crate) fn set(&self, flag: &str) {
        std::fs::write(self.folder.join(flag), "").expect("a file");
    }

    /// Takes a flag away.
    pub(crate) fn unset(&self, flag: &str) {
        std::fs::remove_file(self.folder.join(flag)).expect("a flag");
    }

    /// The lines that the script noted.
    pub(crate) fn read(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the script has left a file.
    pub(crate) fn wait_for(&self, name: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.folder.join(name).exists() {
            assert!(Instant::now() < until, "waited in vain for {name}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Opens the tab and makes the plan.
    pub(crate) fn plan(&self, harness: &mut Harness<'_, StudioApp>) {
        harness.get_by_label("Trainer").click();
        harness.run_steps(3);
        click(harness, "Make the plan");
        wait_for(harness, "the plan", |app| {
            let plan = app.studio.trainer.plan.as_ref();
            plan.is_some_and(|planned| !planned.measuring)
        });
        harness.run_steps(2);
    }

    /// Plans and starts a run.
    pub(crate) fn start(&self, harness: &mut Harness<'_, StudioApp>) {
        self.plan(harness);
        click(harness, "Start training");
        harness.step();
    }
}

/// A studio with prepared data and a run under way.
pub(crate) fn running(home: &Path) -> (Fake, Harness<'static, StudioApp>) {
    let fake = Fake::new(home);
    fake.set("prepared");
    let mut harness = fake.studio(home);
    fake.start(&mut harness);
    wait_for_phase(&mut harness, &Phase::Running);
    (fake, harness)
}

/// Clicks the topmost widget of this name: windows are drawn last.
pub(crate) fn press_last(harness: &mut Harness<'_, StudioApp>, label: &str) {
    harness
        .get_all_by_label(label)
        .last()
        .expect("a widget of this name")
        .click();
    harness.run_steps(3);
}

/// Waits until the run is said to be in a phase.
pub(crate) fn wait_for_phase(harness: &mut Harness<'_, StudioApp>, phase: &Phase) {
    wait_for(harness, phase.title(), |app| {
        app.studio.trainer.view.phase == *phase
    });
    harness.run_steps(2);
}

/// A folder for models, and nothing else.
pub(crate) fn models_in(path: &Path) -> Registry {
    Registry::of(vec![Root {
        path: path.to_owned(),
        origin: Origin::Home,
    }])
}

/// The folder of a run that a program before this one left.
pub(crate) fn old_run(run: &Path) {
    let checkpoint = checkpoint_layout::folder(run, 20);
    std::fs::create_dir_all(&checkpoint).expect("a folder");
    std::fs::write(checkpoint.join(MARKER), "").expect("a file");
    let started = TrainEvent::Started(Started {
        name: "old".into(),
        steps: 100,
        ..Started::default()
    });
    append_event(run, &started);
    append_step(run, 10);
    append_step(run, 20);
}

/// Appends what the run tells of an update.
pub(crate) fn append_step(run: &Path, step: u64) {
    append_event(
        run,
        &TrainEvent::Step(Step {
            step,
            loss: 0.5,
            smooth: 0.5,
            ..Step::default()
        }),
    );
}

/// Appends what the run tells.
pub(crate) fn append_event(run: &Path, event: &TrainEvent) {
    use std::io::Write;
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(run_folder::metrics(run))
        .expect("a file");
    writeln!(file, "{}", event.to_line().expect("plain data")).expect("room");
}
