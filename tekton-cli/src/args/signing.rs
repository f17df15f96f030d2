//! What can be said to `tekton sign` and `tekton verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::settings::Settings;

/// `tekton sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
The signature stands in annotation tekton.dev/signature; comments and layout stay as they are. It is made over the Task \
or Pipeline with its defaults, so --config should name the configuration of the cluster where that sets defaults.

Keys are PEM, not encrypted: ECDSA (P-256, P-384, P-521) or Ed25519. To make one:

  openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out sign.key
  openssl pkey -in sign.key -pubout -out sign.pub

Examples:
  tekton sign -K sign.key task.yaml -o signed.yaml
  tekton sign -K sign.key -w tasks/

Exit code: 0 all is signed; 2 invalid input or usage.")]
pub(crate) struct SignArguments {
    /// Files or directories of manifests, or `-` for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Private key.
    #[arg(short = 'K', long = "key-file", value_name = "PEM")]
    pub(crate) key: PathBuf,
    /// Where the signed manifest goes [default: standard output].
    #[arg(short, long, value_name = "FILE", conflicts_with = "in_place")]
    pub(crate) output: Option<PathBuf>,
    /// Write the files; standard input goes to standard output.
    #[arg(short = 'w', long)]
    pub(crate) in_place: bool,
    /// Tekton's configuration.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// `tekton verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tekton verify -K sign.pub signed.yaml
  tekton verify --policy policy.yaml --source https://github.com/tektoncd/catalog.git signed.yaml

With --policy the controller's own decision is made: policies with a pattern for the source, their keys in place or in \
Secrets of the same files, and their modes; a failure that a policy only warns of is a failure here.

Exit code: 0 all is verified; 1 something is refused; 2 invalid input or usage.")]
pub(crate) struct VerifyArguments {
    /// Files or directories of manifests, or `-` for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Public key.
    #[arg(short = 'K', long = "key-file", value_name = "PEM", required_unless_present = "policy")]
    pub(crate) key: Option<PathBuf>,
    /// Hash that the key signs with; Ed25519 has its own.
    #[arg(long, value_enum, default_value_t = SigningHash::Sha256, requires = "key")]
    pub(crate) hash: SigningHash,
    /// Files with VerificationPolicies and the Secrets that they name; may be given more than once.
    #[arg(long, value_name = "FILE", conflicts_with = "key", requires = "source")]
    pub(crate) policy: Vec<PathBuf>,
    /// Where the manifests come from, as the resolver would say.
    #[arg(long, value_name = "URI", requires = "policy")]
    pub(crate) source: Option<String>,
    /// Tekton's configuration.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// A hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SigningHash {
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}
