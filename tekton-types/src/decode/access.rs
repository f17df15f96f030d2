//! How lists, maps and enums of nodes hand out their parts.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::de::{Error, Path, Reader, Sink};
use crate::yaml::{Entry, Node, Span, Value};

/// What an element that is passed over is read as.
static NULL: Node<'static> = Node { value: Value::Null, span: Span { start: 0, end: 0, line: 0, column: 0 } };

/// The elements of a list.
pub(super) struct Items<'p, 'n> {
    pub(super) left: std::iter::Enumerate<std::slice::Iter<'n, Node<'n>>>,
    pub(super) sink: &'p Sink,
    pub(super) path: &'p Path<'p>,
}

impl<'n> SeqAccess<'n> for Items<'_, 'n> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, node)) = self.left.next() else { return Ok(None) };
        let path = Path::Index(self.path, index);
        let node = if self.sink.passes_over(path) { &NULL } else { node };
        let reader = Reader { node, sink: self.sink, path: &path };
        // An element that is null is the zero value of its type.
        seed.deserialize(reader).map(Some).map_err(|error| reader.locate(error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// The entries of a map, or of a struct: then without unknown fields and nulls.
pub(super) struct Entries<'p, 'n> {
    pub(super) left: std::slice::Iter<'n, Entry<'n>>,
    pub(super) fields: Option<&'static [&'static str]>,
    /// Fields whose zero value is as good as absent.
    pub(super) zero: &'static [&'static str],
    /// Fields that upstream's API does not know.
    pub(super) newer: &'static [&'static str],
    pub(super) value: Option<&'n Entry<'n>>,
    pub(super) reader: Reader<'p, 'n>,
}

impl<'n> MapAccess<'n> for Entries<'_, 'n> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        for entry in self.left.by_ref() {
            if self.reader.sink.passes_over(Path::Key(self.reader.path, &entry.key)) {
                continue;
            }
            if let Some(fields) = self.fields {
                let known = self.reader.field(entry, fields).filter(|field| !self.newer.contains(field));
                let Some(field) = known else {
                    self.reader.unknown(entry, fields);
                    continue;
                };
                if entry.value.is_null() || (self.zero.contains(&field) && is_zero(&entry.value.value)) {
                    continue;
                }
                self.value = Some(entry);
                return seed.deserialize(BorrowedStrDeserializer::new(field)).map(Some);
            }
            self.value = Some(entry);
            return seed.deserialize(BorrowedStrDeserializer::new(&entry.key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let entry = self.value.take().expect("serde asks for a value after its key");
        let path = Path::Key(self.reader.path, &entry.key);
        let reader = Reader { node: &entry.value, sink: self.reader.sink, path: &path };
        seed.deserialize(reader).map_err(|error| reader.locate(error))
    }
}

/// An enum that is written as its variant's name.
pub(super) struct Variant<'p, 'n>(pub(super) Reader<'p, 'n>);

impl<'n> EnumAccess<'n> for Variant<'_, 'n> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(self.0)?, self))
    }
}

impl<'n> VariantAccess<'n> for Variant<'_, 'n> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.list(visitor)
    }

    fn struct_variant<V: Visitor<'n>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_map(visitor)
    }
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::Int(value) => *value == 0,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
