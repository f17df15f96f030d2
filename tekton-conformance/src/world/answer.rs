//! What the caches and the API server of a world answer.

use tekton_engine::{ApiFault, Fact, Kind, Need, Object, ObjectKey, Value};
use tekton_podgen::image::Reference;

use super::World;

impl World {
    /// The object as the caches remember it.
    fn remembered(&self, key: &ObjectKey) -> Result<Value, ApiFault> {
        let objects = self.trouble.stale.as_deref().unwrap_or(&self.objects);
        objects.get(key).cloned().map(Value::Object).ok_or_else(|| ApiFault::not_found(key))
    }

    fn stored(&self, key: &ObjectKey) -> Result<Value, ApiFault> {
        self.objects.get(key).cloned().map(Value::Object).ok_or_else(|| ApiFault::not_found(key))
    }

    /// Answers one need.
    pub fn answer(&self, need: &Need) -> Fact {
        let answer = match need {
            // No cache holds these.
            Need::Object(key) if matches!(key.kind, Kind::ServiceAccount | Kind::Secret) => {
                self.fails("get", key).map_or_else(|| self.remembered(key), Err)
            }
            // What a cache remembers cannot fail.
            Need::Object(key) => self.remembered(key),
            Need::Fresh(key) => match (self.fails("get", key), self.newer.get(key)) {
                (Some(fault), _) => Err(fault),
                (None, Some(object)) => Ok(Value::Object(object.clone())),
                (None, None) => self.stored(key),
            },
            Need::List { kind, namespace, labels } => Ok(Value::List(
                self.trouble
                    .stale
                    .as_deref()
                    .unwrap_or(&self.objects)
                    .range(ObjectKey::new(*kind, namespace, "")..)
                    .take_while(|(key, _)| key.kind == *kind)
                    .filter(|(key, object)| {
                        let own = object.metadata().labels.as_ref();
                        (namespace.is_empty() || key.namespace == *namespace)
                            && labels.iter().all(|(k, v)| own.and_then(|own| own.get(k)) == Some(v))
                    })
                    .map(|(_, object)| object.clone())
                    .collect(),
            )),
            Need::DryRun { kind, namespace, body } => {
                match self.fails("create", &ObjectKey::new(*kind, namespace, "")) {
                    Some(fault) => Err(fault),
                    None => serde_json::from_str(body)
                        .and_then(|json| Object::from_json(*kind, json))
                        .map(Value::Object)
                        .map_err(|e| ApiFault { text: e.to_string(), ..ApiFault::default() }),
                }
            }
            Need::Image { image, .. } => self
                .images
                .get(image)
                .or_else(|| self.images.get(&Reference::parse(image).ok()?.name()))
                .or(self.any_image.as_ref())
                .cloned()
                .map(Value::Image)
                .ok_or_else(|| ApiFault { text: format!("image {image} is not known"), ..ApiFault::default() }),
            Need::Logs { pod, container, .. } => {
                let log = self.logs.get(&(pod.clone(), container.clone()));
                Ok(Value::Text(log.unwrap_or(&self.any_log).clone()))
            }
            Need::ServerVersion => Ok(Value::Version(self.version.clone().unwrap_or_default())),
            other => Err(ApiFault { text: format!("{other:?} has no answer here"), ..ApiFault::default() }),
        };
        match answer {
            Ok(value) => Fact::Known(value),
            Err(fault) => Fact::Denied(fault),
        }
    }
}
