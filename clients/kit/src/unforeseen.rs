//! Randomness that a server cannot know.

use rand::SeedableRng as _;
use rand::rngs::{StdRng, SysRng};
use tickbench_record::Stage;

use crate::Failure;

/// A generator that begins with bytes of the system. The request's seed would not do: servers are told it.
pub(crate) fn unforeseen(stage: Stage) -> Result<StdRng, Failure> {
    StdRng::try_from_rng(&mut SysRng)
        .map_err(|cause| Failure::own(stage, format!("the system has no random bytes: {cause}")))
}
