//! A run is steered by commands and signals, and told as JSON lines.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use common::{Recorded, config, data, prepare, program, train, write_data};
use mmface_engine::model::dit::Dit;
use mmface_run_protocol::mailbox::{self, Posted};
use mmface_run_protocol::{
    RunInputs, TrainCommand, TrainEvent, Weights, checkpoint_layout, run_folder,
};
use mmface_trainer::checkpoint;
use mmface_trainer::config::{Config, Every, Moments};
use mmface_trainer::control::Control;
use mmface_trainer::run::{self, Changes, RunContext, Sheets, Start};

/// A run that would take minutes.
fn endless() -> Config {
    let config = config(Moments::F32);
    Config {
        steps: 1_000_000,
        every: Every {
            log: 1,
            heldout: 1_000_000,
            checkpoint: 1_000_000,
            keep: 2,
            sample: None,
        },
        ..config
    }
}

/// A started program and what it tells.
struct Watched {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
}

impl Watched {
    /// Starts a run on the data of `folder`.
    fn start(folder: &Path, config: &Path, out: &Path, control: &[&str], stdin: Stdio) -> Self {
        let mut child = program()
            .args(["train", "--json"])
            .args(control)
            .arg("--config")
            .arg(config)
            .arg("--work")
            .arg(folder)
            .arg("--out")
            .arg(out)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events }
    }

    /// The next event of this kind.
    fn until(&mut self, wanted: impl Fn(&TrainEvent) -> bool) -> TrainEvent {
        loop {
            let line = self.events.next().expect("the run ended early").unwrap();
            let event = TrainEvent::from_line(&line).unwrap();
            if wanted(&event) {
                break event;
            }
        }
    }
}

#[test]
fn json_lines_tell_and_steer_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = prepare(folder.path(), &endless());
    let out = folder.path().join("run");
    let mut run = Watched::start(
        folder.path(),
        &path,
        &out,
        &["--control", "stdin"],
        Stdio::piped(),
    );
    let mut input = run.child.stdin.take().unwrap();
    let mut ask = |command: TrainCommand| {
        writeln!(input, "{}", command.to_line().unwrap()).unwrap();
    };
    let started = run.until(|event| matches!(event, TrainEvent::Started(_)));
    let TrainEvent::Started(plan) = started else {
        panic!("no plan")
    };
    assert_eq!((plan.steps, plan.batch, plan.samples), (1_000_000, 4, 5));
    assert!(plan.memory > 0 && plan.checkpoint_bytes > 0);
    let step = run.until(|event| matches!(event, TrainEvent::Step(_)));
    assert!(
        matches!(step, TrainEvent::Step(step) if step.loss > 0.0 && step.updates_per_second > 0.0)
    );

    ask(TrainCommand::Pause);
    run.until(|event| matches!(event, TrainEvent::Checkpoint { .. }));
    let paused = run.until(|event| matches!(event, TrainEvent::Paused { .. }));
    let saved = checkpoint::read_state(&checkpoint::find(&out).unwrap()).unwrap();
    assert_eq!(paused.step(), Some(saved.step));
    ask(TrainCommand::Resume);
    run.until(|event| matches!(event, TrainEvent::Resumed { .. }));
    ask(TrainCommand::Checkpoint);
    let again = run.until(|event| matches!(event, TrainEvent::Checkpoint { .. }));
    assert!(again.step() >= paused.step());
    ask(TrainCommand::Stop);
    let stopped = run.until(TrainEvent::is_last);
    assert!(matches!(stopped, TrainEvent::Stopped { .. }), "{stopped:?}");
    assert!(run.child.wait().unwrap().success());

    // Whoever continues with it finds what it reads.
    let inputs = std::fs::read(run_folder::inputs(&out)).unwrap();
    let inputs: RunInputs = serde_json::from_slice(&inputs).unwrap();
    assert_eq!(
        (inputs.work.as_path(), inputs.weights),
        (folder.path(), None)
    );

    // The same lines are kept, and the curves are there for TensorBoard.
    let metrics = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    assert!(
        metrics
            .lines()
            .all(|line| TrainEvent::from_line(line).is_ok())
    );
    assert_eq!(
        std::fs::read_dir(out.join("tensorboard")).unwrap().count(),
        1
    );
}

/// A run that nobody steers from its own terminal, as another process sees it.
#[test]
fn another_process_steers_a_run_through_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = prepare(folder.path(), &endless());
    let out = folder.path().join("run");
    // Left by a run that was killed; it must not act on this one.
    let commands = run_folder::commands(&out);
    std::fs::create_dir_all(&commands).unwrap();
    let post = |process: Option<u32>, command: TrainCommand| {
        mailbox::post(&out, Posted { process, command }).unwrap();
    };
    post(None, TrainCommand::Stop);
    let mut run = Watched::start(folder.path(), &path, &out, &[], Stdio::null());
    let id = run.child.id();
    let warning = |what: &'static str| move |event: &TrainEvent| matches!(event, TrainEvent::Warning { message, .. } if message.contains(what));
    run.until(warning("from before this start"));
    run.until(|event| matches!(event, TrainEvent::Step(_)));

    post(Some(id + 1), TrainCommand::Stop);
    run.until(warning("is for process"));
    std::fs::write(commands.join("x.json"), b"rubbish").unwrap();
    run.until(warning("it is no command"));
    post(Some(id), TrainCommand::Pause);
    let paused = run.until(|event| matches!(event, TrainEvent::Paused { .. }));
    let saved = checkpoint::read_state(&checkpoint::find(&out).unwrap()).unwrap();
    assert_eq!(paused.step(), Some(saved.step));
    post(Some(id), TrainCommand::Resume);
    run.until(|event| matches!(event, TrainEvent::Resumed { .. }));
    post(Some(id), TrainCommand::Checkpoint);
    run.until(|event| matches!(event, TrainEvent::Checkpoint { .. }));
    post(Some(id), TrainCommand::Stop);
    let last = run.until(TrainEvent::is_last);
    assert!(matches!(last, TrainEvent::Stopped { .. }), "{last:?}");
    assert!(run.child.wait().unwrap().success());
    assert!(!commands.exists(), "nobody listens any more");
}

/// Whoever started the run has gone; a pause that another process asked for waits all the same.
#[test]
fn a_pause_from_outside_waits_although_standard_input_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = prepare(folder.path(), &endless());
    let out = folder.path().join("run");
    let mut run = Watched::start(
        folder.path(),
        &path,
        &out,
        &["--control", "stdin"],
        Stdio::null(),
    );
    let post = |process: Option<u32>, command: TrainCommand| {
        mailbox::post(&out, Posted { process, command }).unwrap();
    };
    run.until(|event| matches!(event, TrainEvent::Step(_)));
    post(None, TrainCommand::Pause);
    run.until(|event| matches!(event, TrainEvent::Paused { .. }));
    // It has looked whether the pause is over once it looks for commands again.
    let other = run.child.id() + 1;
    for _ in 0..2 {
        post(Some(other), TrainCommand::Stop);
        let next = run.until(|_| true);
        assert!(matches!(next, TrainEvent::Warning { .. }), "{next:?}");
    }
    post(None, TrainCommand::Resume);
    let next = run.until(|_| true);
    assert!(matches!(next, TrainEvent::Resumed { .. }), "{next:?}");
    post(None, TrainCommand::Stop);
    run.until(TrainEvent::is_last);
    assert!(run.child.wait().unwrap().success());
}

#[test]
#[cfg(unix)]
fn a_signal_writes_a_checkpoint_and_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let path = prepare(folder.path(), &endless());
    for (signal, name) in [
        (libc::SIGINT, "int"),
        (libc::SIGTERM, "term"),
        (libc::SIGHUP, "hup"),
    ] {
        let out = folder.path().join(name);
        let mut run = Watched::start(folder.path(), &path, &out, &[], Stdio::inherit());
        run.until(|event| matches!(event, TrainEvent::Step(_)));
        // SAFETY: the child lives, it has not been waited for.
        unsafe {
            libc::kill(run.child.id() as libc::pid_t, signal);
        }
        let last = TrainEvent::from_line(&run.events.last().unwrap().unwrap()).unwrap();
        assert!(
            matches!(last, TrainEvent::Stopped { .. }),
            "{name}: {last:?}"
        );
        assert!(run.child.wait().unwrap().success());
        checkpoint::find(&out).unwrap();
    }
}

/// Nothing of a measurement can be kept, so it ends at the first signal.
#[test]
#[cfg(target_os = "linux")]
fn a_command_that_keeps_nothing_ends_at_the_first_signal() {
    use std::os::unix::process::ExitStatusExt;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // Millions of steps.
        let mut bench = program()
            .args(["bench", "--config", "tiny", "--size", "32", "--batch", "1"])
            .args(["--threads", "1", "--runs", "100000000"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // It has its handlers once it computes: wait for some time on a processor.
        let stat = format!("/proc/{}/stat", bench.id());
        let ticks = || -> u64 {
            let text = std::fs::read_to_string(&stat).unwrap();
            let fields = text.rsplit(')').next().unwrap();
            fields.split_whitespace().nth(11).unwrap().parse().unwrap()
        };
        while ticks() < 30 {
            assert!(bench.try_wait().unwrap().is_none(), "it ended early");
            std::thread::yield_now();
        }
        // SAFETY: the child lives, it has not been waited for.
        unsafe {
            libc::kill(bench.id() as libc::pid_t, signal);
        }
        let status = bench.wait().unwrap();
        assert_eq!(status.signal(), Some(signal), "{status}");
    }
}

/// As `nohup` starts it: the terminal's end does not reach it.
#[test]
#[cfg(unix)]
fn a_run_that_was_started_to_outlive_its_terminal_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = prepare(folder.path(), &endless());
    let out = folder.path().join("run");
    let script = "trap '' HUP; exec \"$0\" \"$@\"";
    let mut child = std::process::Command::new("/bin/sh")
        .args(["-c", script])
        .arg(program().get_program())
        .args(["train", "--json", "--config"])
        .arg(&path)
        .arg("--work")
        .arg(folder.path())
        .arg("--out")
        .arg(&out)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let events = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut run = Watched { child, events };
    let id = run.child.id() as libc::pid_t;
    run.until(|event| matches!(event, TrainEvent::Step(_)));
    // SAFETY: the child lives, it has not been waited for.
    unsafe {
        libc::kill(id, libc::SIGHUP);
    }
    let command = TrainCommand::Checkpoint;
    let posted = Posted {
        process: None,
        command,
    };
    mailbox::post(&out, posted).unwrap();
    let after = run.until(|event| matches!(event, TrainEvent::Checkpoint { .. }));
    run.until(|event| event.step() > after.step());
    // SAFETY: as above.
    unsafe {
        libc::kill(id, libc::SIGTERM);
    }
    run.until(TrainEvent::is_last);
    assert!(run.child.wait().unwrap().success());
}

#[test]
fn an_error_before_the_run_is_the_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = prepare(folder.path(), &endless());
    let output = program()
        .args(["train", "--json", "--config"])
        .arg(&path)
        .arg("--work")
        .arg(folder.path().join("nothing"))
        .arg("--out")
        .arg(folder.path().join("run"))
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let last = TrainEvent::from_line(text.lines().last().unwrap()).unwrap();
    assert!(matches!(last, TrainEvent::Failed { error, .. } if error.contains("nothing")));
}

/// Asks for the same thing at each look.
struct Requests(Vec<TrainCommand>);

impl Control for Requests {
    fn next_request(&mut self) -> Option<TrainCommand> {
        self.0.pop()
    }
}

#[test]
fn a_full_disk_pauses_the_run_and_space_lets_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let config = config(Moments::F32);
    let data = data(&config, folder.path());
    let expected = train(
        Start::Fresh(config.clone()),
        &data,
        &folder.path().join("a"),
        None,
    )
    .0;
    let out = folder.path().join("b");
    // Enough before the run, too little for the first two looks at the checkpoint.
    let looks = RefCell::new(0);
    let free = |_: &Path| {
        *looks.borrow_mut() += 1;
        Some(if (2..=3).contains(&*looks.borrow()) {
            10
        } else {
            u64::MAX
        })
    };
    let mut recorded = Recorded::default();
    // Each request to continue makes the run look again at once.
    let mut requests = Requests(vec![TrainCommand::Resume; 40]);
    let context = RunContext {
        free: &free,
        ..RunContext::new(&data, &out, &mut recorded, &mut requests)
    };
    let end = run::run(Start::Fresh(config), Changes::default(), context).unwrap();
    assert_eq!(common::bytes(&end), common::bytes(&expected));
    let count =
        |wanted: &dyn Fn(&TrainEvent) -> bool| recorded.0.iter().filter(|e| wanted(e)).count();
    assert_eq!(
        count(
            &|event| matches!(event, TrainEvent::Paused { reason, .. } if reason.contains("no space"))
        ),
        1
    );
    assert_eq!(
        count(&|event| matches!(event, TrainEvent::Resumed { .. })),
        1
    );
    assert!(*looks.borrow() >= 4);
}

/// A limit on the size of files stands for a quota: the system refuses to write more.
#[test]
#[cfg(target_os = "linux")]
fn a_quota_pauses_a_running_process_and_room_lets_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(Moments::F32);
    let mut config = Config {
        steps: 400,
        ..config
    };
    config.every.checkpoint = 20;
    config.every.heldout = 1000;
    let path = prepare(folder.path(), &config);
    let start = |out: &Path| Watched::start(folder.path(), &path, out, &[], Stdio::inherit());
    let undisturbed = folder.path().join("undisturbed");
    let mut run = start(&undisturbed);
    run.until(TrainEvent::is_last);
    assert!(run.child.wait().unwrap().success());

    let out = folder.path().join("run");
    let mut run = start(&out);
    let pid = run.child.id() as libc::pid_t;
    let limit = |bytes: libc::rlim_t| {
        let limit = libc::rlimit {
            rlim_cur: bytes,
            rlim_max: libc::RLIM_INFINITY,
        };
        let none = std::ptr::null_mut();
        // SAFETY: the child lives, it has not been waited for; the pointer is valid for the call.
        let done = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &raw const limit, none) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    };
    run.until(|event| matches!(event, TrainEvent::Checkpoint { .. }));
    limit(2048);
    let paused = run.until(|event| matches!(event, TrainEvent::Paused { .. }));
    assert!(
        matches!(&paused, TrainEvent::Paused { reason, .. } if reason.contains("no space")),
        "{paused:?}"
    );
    // What was saved before is whole, and nothing half written lies beside it.
    let saved = checkpoint::find(&out).unwrap();
    assert!(checkpoint::read_state(&saved).unwrap().step < paused.step().unwrap());
    limit(libc::RLIM_INFINITY);
    run.until(|event| matches!(event, TrainEvent::Resumed { .. }));
    run.until(|event| matches!(event, TrainEvent::Finished { .. }));
    assert!(run.child.wait().unwrap().success());
    let [a, b] = [undisturbed, out].map(|out| common::bytes(&checkpoint_layout::folder(&out, 400)));
    assert!(a == b, "the pause changed the run");
}

#[test]
fn a_disk_without_room_for_two_checkpoints_is_refused_before_the_first_update() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let config = config(Moments::F32);
    let data = data(&config, folder.path());
    let (mut recorded, mut never) = (Recorded::default(), || false);
    let context = RunContext {
        free: &|_| Some(100),
        ..RunContext::new(&data, folder.path(), &mut recorded, &mut never)
    };
    let error = run::run(Start::Fresh(config), Changes::default(), context).unwrap_err();
    assert!(
        error.to_string().contains("two checkpoints do not fit"),
        "{error}"
    );
    assert!(
        matches!(recorded.0.as_slice(), [TrainEvent::Failed { .. }]),
        "{:?}",
        recorded.0
    );
}

/// Makes all photos but the first no numbers.
fn poison(work: &Path, config: &Config) {
    let folder = mmface_trainer::data::latents::folder(work, config.resolution, config.variants);
    let path = folder.join("train-0.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let described: serde_json::Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let photo = &described["photo"];
    let at = |index: usize| photo["data_offsets"][index].as_u64().unwrap() as usize;
    let one = (at(1) - at(0)) / photo["shape"][0].as_u64().unwrap() as usize;
    for half in bytes[header + at(0) + one..header + at(1)].chunks_exact_mut(2) {
        half.copy_from_slice(&0x7e00u16.to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn updates_that_fail_stop_the_run_and_leave_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let mut config = Config {
        steps: 40,
        batch: 1,
        accumulation: 1,
        ..config(Moments::F32)
    };
    config.every.checkpoint = 1;
    config.every.keep = 1;
    poison(folder.path(), &config);
    let data = data(&config, folder.path());
    // By the seed it depends when the only good sample comes.
    let mut seen_both = false;
    for seed in 0..8 {
        config.seed = seed;
        let out = folder.path().join(format!("run-{seed}"));
        let (mut recorded, mut never) = (Recorded::default(), || false);
        let context = RunContext::new(&data, &out, &mut recorded, &mut never);
        let error =
            run::run(Start::Fresh(config.clone()), Changes::default(), context).unwrap_err();
        assert!(error.to_string().contains("5 updates in a row"), "{error}");
        assert!(matches!(recorded.0.last(), Some(TrainEvent::Failed { .. })));
        let (mut failed, mut saved) = (Vec::new(), Vec::new());
        for event in &recorded.0 {
            match event {
                TrainEvent::Skipped { step, samples, .. } => {
                    assert_eq!(samples.len(), 1);
                    failed.push(*step);
                }
                TrainEvent::Checkpoint { step, .. } => saved.push(*step),
                _ => {}
            }
        }
        assert!(failed.len() >= 5);
        // A checkpoint of step n holds updates 0..n, the last of which was applied.
        assert!(saved.iter().all(|step| !failed.contains(&(step - 1))));
        let kept = checkpoint::complete(&out).unwrap();
        assert_eq!(kept.last(), saved.last());
        seen_both |= !kept.is_empty();
    }
    assert!(
        seen_both,
        "no seed made a good update before the failing ones"
    );
}

/// Writes the step and the weights' kind instead of a picture.
struct FakeSheets;

impl Sheets for FakeSheets {
    fn draw(
        &mut self,
        _dit: &Dit,
        step: u64,
        weights: Weights,
        out: &Path,
    ) -> mmface_engine::Result<PathBuf> {
        let path = out.join(format!("{step}-{weights:?}"));
        std::fs::write(&path, b"sheet").unwrap();
        Ok(path)
    }
}

#[test]
fn sheets_come_of_raw_and_averaged_weights() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let mut config = config(Moments::F32);
    config.every.sample = Some(5);
    let data = data(&config, folder.path());
    let out = folder.path().join("run");
    let (mut recorded, mut never, mut sheets) = (Recorded::default(), || false, FakeSheets);
    let context = RunContext {
        sheets: Some(&mut sheets),
        ..RunContext::new(&data, &out, &mut recorded, &mut never)
    };
    run::run(Start::Fresh(config), Changes::default(), context).unwrap();
    for name in ["5-Raw", "5-Averaged", "10-Raw", "12-Averaged"] {
        assert!(out.join(name).exists(), "{name}");
    }
    let sheets = recorded
        .0
        .iter()
        .filter(|event| matches!(event, TrainEvent::Sample { .. }))
        .count();
    assert_eq!(sheets, 6);
}
