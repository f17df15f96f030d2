//! Leader election: of several controllers the one that holds the Lease decides, the others stand by with full caches.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};

/// How controllers agree on the one that decides.
#[derive(Debug, Clone)]
pub struct Election {
    /// Name of the Lease in Tekton's namespace.
    pub lease: String,
    /// Who this controller is; no two may share it.
    pub identity: String,
    /// How long the others wait for a holder that does not renew.
    pub lease_duration: Duration,
    /// How long a holder that cannot renew goes on; shorter than `lease_duration`.
    pub renew_deadline: Duration,
    /// Time between two tries to take or renew.
    pub retry_period: Duration,
}

impl Election {
    /// An election with the times of upstream: 60 s, 40 s and 10 s.
    pub fn new(identity: impl Into<String>) -> Self {
        Self {
            lease: "tekton-pipelines-controller".to_owned(),
            identity: identity.into(),
            lease_duration: Duration::from_mins(1),
            renew_deadline: Duration::from_secs(40),
            retry_period: Duration::from_secs(10),
        }
    }
}

/// A controller that holds the Lease or wants it.
pub(crate) struct Candidate {
    api: Api<Lease>,
    election: Election,
}

/// What the last look at a Lease of somebody else showed, and when it last changed by this machine's own clock.
struct Seen {
    version: Option<String>,
    at: Instant,
}

impl Candidate {
    pub(crate) fn new(client: kube::Client, namespace: &str, election: Election) -> Self {
        Self { api: Api::namespaced(client, namespace), election }
    }

    /// Resolves when the Lease is held.
    pub(crate) async fn acquire(&self) {
        let mut seen = Seen { version: None, at: Instant::now() };
        tracing::info!(lease = self.election.lease, identity = self.election.identity, "standing for election");
        loop {
            match self.take(&mut seen).await {
                Ok(true) => {
                    tracing::info!(identity = self.election.identity, "elected");
                    return;
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "failed to take the lease"),
            }
            tokio::time::sleep(self.election.retry_period).await;
        }
    }

    /// Renews what [`Candidate::acquire`] has taken; resolves when it is lost.
    pub(crate) async fn hold(&self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(self.election.retry_period).await;
            let left = self.election.renew_deadline.saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.renew()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return tracing::error!("another controller has taken the lease"),
                Ok(Err(error)) => tracing::warn!(%error, "failed to renew the lease"),
                Err(_elapsed) => {}
            }
            if renewed.elapsed() >= self.election.renew_deadline {
                return tracing::error!("the lease was not renewed in time");
            }
        }
    }

    /// Gives the Lease back, so that another controller need not wait until it runs out.
    pub(crate) async fn release(&self) {
        let result = async {
            let Some(mut lease) = self.api.get_opt(&self.election.lease).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_ref() == Some(&self.election.identity) {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                self.api.replace(&self.election.lease, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        if let Err(error) = result.await {
            tracing::debug!(%error, "failed to release the lease");
        }
    }

    /// Takes the Lease if nobody holds it, or its holder has not renewed it for too long.
    async fn take(&self, seen: &mut Seen) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.election.lease).await? else {
            let metadata = ObjectMeta { name: Some(self.election.lease.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.spec(None)) };
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        if lease.metadata.resource_version != seen.version {
            *seen = Seen { version: lease.metadata.resource_version.clone(), at: Instant::now() };
        }
        let spec = lease.spec.take().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        // The holder's own word counts, for it may renew less often than we would.
        let patience = spec.lease_duration_seconds.and_then(|seconds| seconds.try_into().ok()).map(Duration::from_secs);
        let expired = seen.at.elapsed() >= patience.unwrap_or(self.election.lease_duration);
        if !holder.is_empty() && holder != self.election.identity && !expired {
            return Ok(false);
        }
        lease.spec = Some(self.spec(Some(&spec)));
        won(self.api.replace(&self.election.lease, &PostParams::default(), &lease).await)
    }

    async fn renew(&self) -> Result<bool, kube::Error> {
        let mut lease = self.api.get(&self.election.lease).await?;
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.election.identity) {
            return Ok(false);
        }
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        self.api.replace(&self.election.lease, &PostParams::default(), &lease).await?;
        Ok(true)
    }

    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        LeaseSpec {
            holder_identity: Some(self.election.identity.clone()),
            lease_duration_seconds: Some(self.election.lease_duration.as_secs().try_into().unwrap_or(i32::MAX)),
            acquire_time: now.clone(),
            renew_time: now,
            lease_transitions: Some(before.map_or(0, |before| before.lease_transitions.unwrap_or_default() + 1)),
            ..LeaseSpec::default()
        }
    }
}

/// Whether a write of the Lease went through; somebody else may have been faster.
fn won(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}
