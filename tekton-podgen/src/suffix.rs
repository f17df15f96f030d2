//! Random-looking suffixes of file names and markers inside a Pod, drawn from a source that the caller chooses.

use tekton_contract::names::{RANDOM_LENGTH, restrict_length_with_suffix};

const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Where five-character suffixes come from. Both kinds are deterministic, so the same input builds the same Pod.
#[derive(Clone, Debug)]
pub enum Suffixes {
    /// Letters and digits derived from a seed, such as the uid of the TaskRun.
    Seeded(u64),
    /// `00000`, `00001`, …: for tests and for comparing Pods.
    Numbered(u32),
}

impl Suffixes {
    /// Suffixes that look random and depend only on `seed`.
    pub fn seeded(seed: &str) -> Self {
        let hash = seed
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self::Seeded(hash)
    }

    /// Suffixes that count from zero.
    pub fn numbered() -> Self {
        Self::Numbered(0)
    }

    /// `base-suffix`, with `base` cut so that the whole fits a Kubernetes name.
    pub(crate) fn append(&mut self, base: &str) -> String {
        restrict_length_with_suffix(base, &self.draw())
    }

    fn draw(&mut self) -> String {
        match self {
            Self::Numbered(next) => {
                let suffix = format!("{next:05}");
                *next += 1;
                suffix
            }
            Self::Seeded(state) => (0..RANDOM_LENGTH)
                .map(|_| {
                    // SplitMix64: short, and good enough to keep names apart.
                    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mut z = *state;
                    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                    z ^= z >> 31;
                    let index = usize::try_from(z % ALPHABET.len() as u64)
                        .expect("the remainder is below the alphabet's length");
                    char::from(ALPHABET[index])
                })
                .collect(),
        }
    }
}
