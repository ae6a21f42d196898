//! `train` and `resume`: one process, or the first of several that it starts.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use candle_core::Device;
use clap::{Args, ValueEnum};
use mmface_engine::device::DeviceChoice;
use mmface_engine::job::{self, Objective};
use mmface_engine::{Error, Result, file, system};
use mmface_run_protocol::arguments::{STDIN, flag, name};
use mmface_run_protocol::{RunInputs, TrainEvent, checkpoint_layout};
use mmface_trainer::checkpoint;
use mmface_trainer::config::Config;
use mmface_trainer::control::{Console, Control};
use mmface_trainer::data::prepared::PreparedData;
use mmface_trainer::data::source::Source as Samples;
use mmface_trainer::ranks::ProcessGroup;
use mmface_trainer::report::jsonl::Printed;
use mmface_trainer::report::plain::Plain;
use mmface_trainer::report::screen::Screen;
use mmface_trainer::report::{Silent, Sink};
use mmface_trainer::run::{self, Changes, RunContext, Sheets, Start};
use mmface_trainer::sheets::Probes;
use mmface_trainer::{device, inputs, prepare};

use super::{Inputs, Source};

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ui {
    /// Curves and figures on the terminal
    Tui,
    /// Lines for people on standard error
    Plain,
    /// One JSON object a line on standard output
    Json,
}

/// Where commands come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ControlFrom {
    /// JSON lines on standard input: {"command":"pause"}, resume, stop, checkpoint, sample
    #[value(name = STDIN)]
    Stdin,
}

/// How a run is shown and steered, and how many processes share it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Conduct {
    /// View of the run; left out: plain
    #[arg(long)]
    ui: Option<Ui>,
    /// The same as --ui json
    #[arg(long = name(flag::JSON), conflicts_with = "ui")]
    json: bool,
    /// Obey commands from there
    #[arg(long = name(flag::CONTROL))]
    control: Option<ControlFrom>,
    /// Threads that make batches ahead
    #[arg(long, default_value_t = 1)]
    loaders: usize,
    /// Train although the memory seems too little
    #[arg(long)]
    ignore_memory: bool,
    /// Processor that trains: cpu, cuda or cuda:N. With --ranks the first process takes this card and each further one the next; one that is started by hand (--rank) takes what it names. Needs a build with --features cuda, whose training is type-checked and has never run
    #[arg(long, default_value = "cpu", value_parser = device::parse, overrides_with = "device")]
    device: DeviceChoice,
    /// Processes that train together; the configuration's batch is that of all together. Gradients go over TCP, or between the cards where all were built with --features nccl (type-checked, never run)
    #[arg(long, default_value_t = 1)]
    ranks: usize,
    /// Position of this process among them; left out: this one starts the others
    #[arg(long, requires = "meet")]
    rank: Option<usize>,
    /// Address at which the first process waits for the others, HOST:PORT
    #[arg(long)]
    meet: Option<String>,
}

impl Conduct {
    fn ui(&self) -> Ui {
        match (self.json, self.ui) {
            (true, _) => Ui::Json,
            (false, Some(ui)) => ui,
            (false, None) => Ui::Plain,
        }
    }

    /// Refuses positions among processes that contradict each other.
    fn check_ranks(&self) -> Result<()> {
        let what = match (self.ranks, self.rank, &self.meet) {
            (0, _, _) => "--ranks 0: a run has at least 1 process".into(),
            (1, Some(rank), _) => {
                format!("--rank {rank} is a position among several processes: say how many with --ranks")
            }
            (ranks, Some(rank), _) if rank >= ranks => {
                format!("--rank {rank}: positions of --ranks {ranks} go from 0 to {}", ranks - 1)
            }
            (_, None, Some(_)) => {
                "--meet is for processes that are started by hand: say which one this is with --rank and how many there are with --ranks".into()
            }
            _ => return Ok(()),
        };
        Err(Error::Argument(what))
    }

    /// Whether this process shows and saves.
    fn is_first(&self) -> bool {
        self.rank.is_none_or(|rank| rank == 0)
    }
}

/// Arguments of `train`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    source: Source,
    /// What a file of the authors trains; left out: by its path
    #[arg(long, value_parser = job::parser::<Objective>())]
    objective: Option<Objective>,
    #[command(flatten)]
    inputs: Inputs,
    /// Folder of latents and text features; with --data they are made there
    #[arg(long = name(flag::WORK))]
    work: PathBuf,
    /// Folder of the run: checkpoints and metrics; left out: what a file of the authors says
    #[arg(long = name(flag::OUT))]
    out: Option<PathBuf>,
    /// Start from the weights of this run, checkpoint or safetensors file: the average, else the raw weights
    #[arg(long = name(flag::INIT_FROM))]
    init_from: Option<PathBuf>,
    #[command(flatten)]
    conduct: Conduct,
}

/// Arguments of `resume`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Other settings stay as they were when the run began. To change them, start a run from its weights: `mmface-trainer train --init-from RUN --set KEY=VALUE`."
)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    inputs: Inputs,
    /// Folder of latents and text features; left out, as --weights: what the run noted in its inputs.json
    #[arg(long = name(flag::WORK))]
    work: Option<PathBuf>,
    /// Folder of the run, or one of its checkpoints
    #[arg(long = name(flag::OUT))]
    out: PathBuf,
    /// New total number of updates
    #[arg(long)]
    steps: Option<u64>,
    /// Settings are fixed once a run has begun; a new one takes its weights with `train --init-from`
    #[arg(long, hide = true)]
    set: Option<String>,
    #[arg(long, hide = true)]
    config: Option<String>,
    #[arg(long, hide = true)]
    preset: Option<String>,
    /// End within so many updates, the learning rate falling to zero
    #[arg(long, conflicts_with = "steps")]
    cooldown: Option<u64>,
    #[command(flatten)]
    conduct: Conduct,
}

/// Everything that a run is started with.
struct Plan {
    start: Start,
    config: Config,
    changes: Changes,
    out: PathBuf,
    samples: Option<Samples>,
    reads: RunInputs,
}

/// Starts a run.
///
/// # Errors
/// When the configuration, the weights or the data is not usable, the run folder is taken, or the
/// run fails.
pub(crate) fn train(args: &TrainArgs) -> Result<()> {
    conduct(&args.conduct, &args.inputs, || {
        let imported = args.source.read(
            args.objective,
            args.conduct.ranks.max(1),
            args.inputs.heldout,
        )?;
        if args.conduct.is_first() {
            for note in &imported.notes {
                eprintln!("note: {note}");
            }
        }
        let config = imported.config;
        let start = match args.init_from.as_ref().or(imported.init_from.as_ref()) {
            Some(from) => Start::Weights(
                config.clone(),
                if from.is_dir() {
                    checkpoint::find(from).or_else(|error| {
                        // The authors' folders hold weights without our state.
                        let known = [checkpoint_layout::EMA_FILE, checkpoint_layout::RAW_FILE];
                        if known.iter().any(|name| from.join(name).exists()) {
                            Ok(from.clone())
                        } else {
                            Err(error)
                        }
                    })?
                } else {
                    from.clone()
                },
            ),
            None => Start::Fresh(config.clone()),
        };
        Ok(Plan {
            start,
            config,
            changes: Changes::default(),
            out: args
                .out
                .clone()
                .or(imported.out)
                .ok_or_else(|| Error::Argument("name the folder of the run with --out".into()))?,
            samples: imported.source,
            reads: RunInputs {
                work: args.work.clone(),
                weights: args.inputs.weights.clone(),
            },
        })
    })
}

/// Continues a run.
///
/// # Errors
/// When there is no checkpoint or it cannot be read, the data is not usable, or the run fails.
pub(crate) fn resume(args: &ResumeArgs) -> Result<()> {
    conduct(&args.conduct, &args.inputs, || {
        if args.set.is_some() || args.config.is_some() || args.preset.is_some() {
            return Err(Error::Argument(
                "the settings of a run stay as they were when it began; --steps and --cooldown change its length. For others start a run from its weights: `train --init-from RUN` with --set".into(),
            ));
        }
        let folder = checkpoint::find(&args.out)?;
        let changes = Changes {
            steps: args.steps,
            cooldown: args.cooldown,
        };
        let mut state = checkpoint::read_state(&folder)?;
        changes.apply(&mut state)?;
        let config = state.config;
        let out = if folder == args.out {
            file::parent_folder(&folder).to_path_buf()
        } else {
            args.out.clone()
        };
        let reads = inputs::resolve(&out, args.work.as_deref(), args.inputs.weights.as_deref())?;
        if args.conduct.is_first() && args.conduct.ui() == Ui::Plain {
            eprintln!("resuming {}", folder.display());
        }
        Ok(Plan {
            start: Start::Checkpoint(folder),
            config,
            changes,
            out,
            samples: None,
            reads,
        })
    })
}

/// Opens the view, and runs; an error before the run is told in the view, too.
fn conduct(conduct: &Conduct, inputs: &Inputs, plan: impl FnOnce() -> Result<Plan>) -> Result<()> {
    let ranks = conduct.ranks.max(1);
    let threads = inputs
        .threads
        .or_else(|| (ranks > 1).then(|| system::threads() / ranks));
    use_threads(threads)?;
    let mut console = match conduct.control {
        Some(ControlFrom::Stdin) => Console::stdin(),
        None => Console::signals(),
    };
    if !conduct.is_first() {
        return execute(conduct, inputs, plan, &mut Silent, &mut console);
    }
    match conduct.ui() {
        Ui::Json => execute(conduct, inputs, plan, &mut Printed, &mut console),
        Ui::Plain => execute(conduct, inputs, plan, &mut Plain::default(), &mut console),
        Ui::Tui => {
            let mut screen = Screen::open()?;
            let mut keys = screen.clone();
            execute(conduct, inputs, plan, &mut screen, &mut keys)
        }
    }
}

fn execute(
    conduct: &Conduct,
    inputs: &Inputs,
    plan: impl FnOnce() -> Result<Plan>,
    sink: &mut dyn Sink,
    control: &mut dyn Control,
) -> Result<()> {
    let first = conduct.is_first();
    let ready = || -> Result<(Plan, PreparedData, Device, Option<Probes>)> {
        conduct.check_ranks()?;
        let plan = plan()?;
        // Before data is prepared, which may take hours.
        plan.config.check_ranks(conduct.ranks)?;
        plan.start.check(&plan.out)?;
        let device = mmface_engine::device::open(conduct.device)?.device;
        let RunInputs { work, weights } = &plan.reads;
        if first
            && let Some(preparation) =
                inputs.preparation(plan.samples.as_ref(), work, weights.as_deref())?
        {
            prepare::prepare(&plan.config, &preparation, sink)?;
        }
        let data = prepare::open(&plan.config, work)?;
        let probes = match (weights, plan.config.every.sample) {
            (Some(weights), Some(_)) if first => {
                Some(prepare::probes(&plan.config, weights, &device)?)
            }
            _ => None,
        };
        Ok((plan, data, device, probes))
    };
    let ready = ready().and_then(|(plan, data, device, probes)| {
        let (group, children) = assemble(conduct, &plan.config)?;
        Ok((plan, data, device, probes, group, children))
    });
    let (plan, data, device, mut probes, group, children) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            sink.on_event(&TrainEvent::Failed {
                step: 0,
                error: error.to_string(),
            })?;
            return Err(error);
        }
    };
    let context = RunContext {
        group,
        device,
        loaders: conduct.loaders,
        ignore_memory: conduct.ignore_memory,
        inputs: Some(RunInputs {
            work: absolute(&plan.reads.work),
            weights: plan.reads.weights.as_deref().map(absolute),
        }),
        sheets: probes.as_mut().map(|probes| probes as &mut dyn Sheets),
        ..RunContext::new(&data, &plan.out, sink, control)
    };
    let result = run::run(plan.start, plan.changes, context);
    // The others end by themselves when the first process has left the meeting.
    for mut child in children {
        child.wait().map_err(|error| {
            Error::Peer(format!("cannot wait for a process of the run: {error}"))
        })?;
    }
    result.map(drop)
}

/// As it is read from another folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Joins the processes of the run; the first starts the others unless they are started by hand.
fn assemble(conduct: &Conduct, config: &Config) -> Result<(ProcessGroup, Vec<Child>)> {
    let ranks = conduct.ranks.max(1);
    if ranks == 1 {
        return Ok((ProcessGroup::single(), Vec::new()));
    }
    let run = format!("{} {ranks}", config.hash()?);
    match (conduct.rank, &conduct.meet) {
        (Some(0), Some(address)) => {
            let listener = TcpListener::bind(address).map_err(|error| meeting(address, &error))?;
            Ok((ProcessGroup::host(ranks, &listener, &run)?, Vec::new()))
        }
        (Some(rank), Some(address)) => {
            Ok((ProcessGroup::join(rank, ranks, address, &run)?, Vec::new()))
        }
        _ => {
            let here = "127.0.0.1:0";
            let listener = TcpListener::bind(here).map_err(|error| meeting(here, &error))?;
            let address = listener.local_addr();
            let address = address.map_err(|error| meeting(here, &error))?.to_string();
            let program = std::env::current_exe().map_err(|error| {
                Error::Peer(format!(
                    "cannot find the program to start it again: {error}"
                ))
            })?;
            let arguments: Vec<_> = std::env::args_os().skip(1).collect();
            let children = (1..ranks)
                .map(|rank| {
                    Command::new(&program)
                        .args(&arguments)
                        .args(["--rank", &rank.to_string(), "--meet", &address])
                        .args([
                            "--device",
                            &device::argument(device::of_rank(conduct.device, rank)),
                        ])
                        .stdin(Stdio::null())
                        .stdout(Stdio::null())
                        .spawn()
                        .map_err(|error| {
                            Error::Peer(format!("cannot start process {rank} of the run: {error}"))
                        })
                })
                .collect::<Result<Vec<Child>>>()?;
            Ok((ProcessGroup::host(ranks, &listener, &run)?, children))
        }
    }
}

fn meeting(address: &str, error: &std::io::Error) -> Error {
    Error::Peer(format!(
        "cannot wait for the other processes at {address}: {error}"
    ))
}

/// Sets the size of the thread pool before anything runs in it.
///
/// # Errors
/// When the system gives no such threads.
pub(crate) fn use_threads(threads: Option<usize>) -> Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build_global()
            .map_err(|error| {
                Error::Device(format!(
                    "cannot start {threads} threads: {error}; ask for fewer"
                ))
            })?;
    }
    Ok(())
}
