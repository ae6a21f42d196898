//! Whether the memory is enough for all processes of the run, asked before anything is allocated.

use mmface_engine::{Error, Result, system};
use mmface_run_protocol::plan::MemoryEstimate;

use super::RunContext;
use crate::config::Config;
use crate::plan::memory_estimate;

/// Refuses a run that some process has too little memory for; a shortage that is to be ignored
/// comes back as a warning.
pub(super) fn check(config: &Config, context: &mut RunContext<'_>) -> Result<Option<String>> {
    let own = check_own(config, context);
    // Nobody allocates before all have looked: each counts on its part of what is free now.
    let all_fit = context.group.all_agree(own.is_ok())?;
    let warning = own?;
    if !all_fit {
        return Err(Error::Peer(
            "another process of the run has too little memory, as it says itself".into(),
        ));
    }
    Ok(warning)
}

/// What a process of the run needs on its device.
pub(super) fn estimate(config: &Config, context: &RunContext<'_>) -> MemoryEstimate {
    let route = config.route_on(&context.device);
    let (ranks, tokens) = (context.group.ranks(), context.data.text.tokens);
    memory_estimate(config, ranks, tokens, route)
}

/// Compares what the run will need with what this process can get.
fn check_own(config: &Config, context: &RunContext<'_>) -> Result<Option<String>> {
    // Whose memory is asked, the host's or the card's; a card holds nothing of this process yet.
    let has = if context.device.is_cpu() {
        system::memory::resident()
    } else {
        0
    };
    let more = estimate(config, context).total().saturating_sub(has);
    let processes = context.group.local_ranks();
    let available = (context.memory)(&context.device, processes);
    crate::memory::check_run(config, more, processes, available, context.ignore_memory)
}
