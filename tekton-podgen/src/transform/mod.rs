//! What is done to a Pod after it is built: default resources, LimitRanges, affinity; and arithmetic over resources.

mod affinity;
mod limit_range;
mod resources;

pub use affinity::affinity_assistant;
pub use limit_range::{limit_range, virtual_limit_range};
pub use resources::{canonical_quantities, default_resources, spread_resources};
