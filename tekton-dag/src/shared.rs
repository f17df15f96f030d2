//! A value that is borrowed until it is changed.

use std::borrow::Cow;
use std::ops::Deref;

/// A value that is borrowed until something changes it: [`Cow`] with the copy on the heap. What nobody changes takes a
/// pointer, where a `Cow` takes the room of the whole value: 2 kB for a pipeline task and its spec, in each of 100,000.
#[derive(Debug, Clone)]
pub enum Shared<'a, T> {
    /// As somebody else holds it.
    Borrowed(&'a T),
    /// A copy, to change.
    Owned(Box<T>),
}

impl<T: Clone> Shared<'_, T> {
    /// The copy, made now if there is none yet.
    pub fn to_mut(&mut self) -> &mut T {
        if let Self::Borrowed(value) = *self {
            *self = Self::Owned(Box::new(value.clone()));
        }
        match self {
            Self::Owned(value) => value,
            Self::Borrowed(_) => unreachable!("what was borrowed has just been copied"),
        }
    }

    /// The value itself.
    pub fn into_owned(self) -> T {
        match self {
            Self::Borrowed(value) => value.clone(),
            Self::Owned(value) => *value,
        }
    }
}

impl<T> Deref for Shared<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Borrowed(value) => value,
            Self::Owned(value) => value,
        }
    }
}

impl<'a, T> From<&'a T> for Shared<'a, T> {
    fn from(value: &'a T) -> Self {
        Self::Borrowed(value)
    }
}

impl<'a, T: Clone> From<Cow<'a, T>> for Shared<'a, T> {
    fn from(value: Cow<'a, T>) -> Self {
        match value {
            Cow::Borrowed(value) => Self::Borrowed(value),
            Cow::Owned(value) => Self::Owned(Box::new(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_to_a_copy() {
        let written = vec![1];
        let mut shared = Shared::from(&written);
        shared.to_mut().push(2);
        shared.to_mut().push(3);
        assert_eq!(shared.into_owned(), [1, 2, 3]);
        assert_eq!(written, [1]);
    }
}
