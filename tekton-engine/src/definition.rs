//! Tasks, Pipelines and StepActions by reference: from the cluster by name, or through a resolver.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tekton_types::defaults::SetDefaults;
use tekton_types::object::Object;
use tekton_types::v1::{Pipeline, RefSource, Task};
use tekton_types::v1beta1::StepAction;

use crate::facts::{Need, Value};
use crate::object::Stored;
use crate::pass::{Pass, Stop};
use crate::refs::{self, RefFault, Request, Resolved};
use crate::trusted::{self, Verification};

/// A definition and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Definition<T> {
    /// The object.
    pub(crate) object: T,
    /// Where a resolver found it.
    pub(crate) source: Option<RefSource>,
    /// What its signature is worth.
    pub(crate) verification: Verification,
}

/// A kind that runs refer to.
pub(crate) trait Referable: Stored + Clone + Serialize + DeserializeOwned + SetDefaults + 'static {
    /// What the text of an error calls it.
    const WORD: &'static str;
    /// The text for a definition that is of another kind.
    const NOT_ONE: &'static str;
    /// Whether policies may ask for a signature of it.
    const IS_SIGNED: bool;
    /// Words before the text when what a resolver delivered is not usable.
    const UNUSABLE: &'static str = "";

    fn metadata_mut(&mut self) -> &mut ObjectMeta;
    /// The object as the kind, of whichever version it is; `None` when it is of another kind.
    fn of(object: Object) -> Result<Option<Self>, String>;
}

impl Referable for Task {
    const WORD: &'static str = "task";
    const NOT_ONE: &'static str = "resource is not a task";
    const IS_SIGNED: bool = true;

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn of(object: Object) -> Result<Option<Self>, String> {
        crate::decode::task(object)
    }
}

impl Referable for Pipeline {
    const WORD: &'static str = "pipeline";
    const NOT_ONE: &'static str = "resource is not a pipeline";
    const IS_SIGNED: bool = true;
    const UNUSABLE: &'static str = "failed to read runtime object as Pipeline: ";

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn of(object: Object) -> Result<Option<Self>, String> {
        crate::decode::pipeline(object)
    }
}

impl Referable for StepAction {
    const WORD: &'static str = "step action";
    const NOT_ONE: &'static str = "resource is not a StepAction";
    const IS_SIGNED: bool = false;

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn of(object: Object) -> Result<Option<Self>, String> {
        Ok(crate::decode::step_action(object))
    }
}

/// The definition called `name` in `namespace`, as the cluster has it.
pub(crate) fn stored<'a, T: Referable>(
    pass: &mut Pass<'a>,
    namespace: &str,
    name: &str,
) -> Result<Result<&'a T, RefFault>, Stop> {
    if namespace.is_empty() {
        return Ok(Err(RefFault::Failed(format!("must specify namespace to resolve reference to {} {name}", T::WORD))));
    }
    Ok(match pass.fresh::<T>(namespace, name)? {
        Ok(found) => Ok(&**found),
        Err(fault) => Err(RefFault::from(fault)),
    })
}

/// The definition called `name` in `namespace`.
pub(crate) fn local<T: Referable>(
    pass: &mut Pass<'_>,
    namespace: &str,
    name: &str,
) -> Result<Result<Definition<T>, RefFault>, Stop> {
    let found = stored::<T>(pass, namespace, name)?;
    Ok(found.map(|found| Definition { object: found.clone(), source: None, verification: Verification::Skipped }))
}

/// The definition that a resolver delivers, once the API server would admit it. `words` stand before the text when
/// the resolver or what it delivered fails.
pub(crate) fn remote<T: Referable>(
    pass: &mut Pass<'_>,
    request: Request<'_>,
    words: &str,
) -> Result<Result<Definition<T>, RefFault>, Stop> {
    let namespace = request.namespace.to_owned();
    let Resolved { data, source } = match refs::resolve(pass, request)? {
        Ok(resolved) => resolved,
        Err(fault) => return Ok(Err(fault.context(words))),
    };
    let text = String::from_utf8_lossy(&data);
    let invalid = |text| RefFault::Failed(format!("invalid runtime object: {text}"));
    let delivered = match crate::decode::object(&text, pass.env.config) {
        Ok(delivered) => delivered,
        Err(text) => return Ok(Err(invalid(text).context(words))),
    };
    // Signatures are made over what was delivered, so admission and conversion come after.
    let verification = if T::IS_SIGNED {
        trusted::verify(pass, &namespace, &delivered, source.as_ref())
    } else {
        Ok(Verification::Skipped)
    };
    let mut object = match T::of(delivered) {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(Err(RefFault::Failed(T::NOT_ONE.to_owned()).context(T::UNUSABLE))),
        Err(text) => return Ok(Err(invalid(text).context(T::UNUSABLE))),
    };
    object.metadata_mut().owner_references = None;
    let object = match admitted(pass, object, &namespace)? {
        Ok(object) => object,
        Err(fault) => return Ok(Err(fault.context(T::UNUSABLE))),
    };
    Ok(Ok(Definition { object, source, verification: verification? }))
}

/// Asks the API server whether it would admit the definition; as admission leaves it.
fn admitted<T: Referable>(pass: &mut Pass<'_>, mut object: T, namespace: &str) -> Result<Result<T, RefFault>, Stop> {
    let meta = object.metadata_mut().clone();
    let name = meta.name.clone().unwrap_or_default();
    object.metadata_mut().namespace = Some(namespace.to_owned());
    let body = serde_json::to_string(&object).map_err(Stop::permanent)?;
    let need = Need::DryRun { kind: <T as Stored>::KIND, namespace: namespace.to_owned(), body };
    Ok(match pass.fetch(need)? {
        Ok(Value::Object(answer)) => match T::from_object(answer) {
            Some(admitted) => {
                let mut admitted = (**admitted).clone();
                *admitted.metadata_mut() = meta;
                Ok(admitted)
            }
            None => Err(RefFault::Failed(T::NOT_ONE.to_owned())),
        },
        Ok(_) => Err(RefFault::Failed(T::NOT_ONE.to_owned())),
        Err(fault) => Err(match fault.known_reason() {
            "BadRequest" => {
                RefFault::Validation(format!("validation failed for referenced object {name}: {}", fault.text))
            }
            "Invalid" | "MethodNotAllowed" => {
                RefFault::Unprocessable(format!("permanent error validating referenced object {name}: {}", fault.text))
            }
            _ => RefFault::Transient(format!("retryable error validating referenced object {name}: {}", fault.text)),
        }),
    })
}
