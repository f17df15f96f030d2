//! Types of CEL expressions, and what of one type may stand where another is asked for.

use std::fmt;

/// How many types one type may hold; what is larger counts as [`Type::Dyn`].
const MAX_SIZE: usize = 256;

/// A type, as far as the text tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Anything: known only when the text is evaluated.
    Dyn,
    /// The type of what does not compile. It fits everywhere, so that one mistake is told once.
    Error,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List(Box<Type>),
    Map(Box<(Type, Type)>),
    /// A type as a value, such as `int`.
    Kind(Box<Type>),
    /// A type that is to be found out.
    Var(usize),
}

impl Type {
    pub(super) fn list(element: Self) -> Self {
        Self::limited(Self::List(Box::new(element)))
    }

    pub(super) fn map(key: Self, value: Self) -> Self {
        Self::limited(Self::Map(Box::new((key, value))))
    }

    fn limited(self) -> Self {
        if self.size() > MAX_SIZE { Self::Dyn } else { self }
    }

    fn size(&self) -> usize {
        1 + self.parts().map(Self::size).sum::<usize>()
    }

    /// The types that this type is made of.
    fn parts(&self) -> impl Iterator<Item = &Self> {
        let (first, second) = match self {
            Self::List(part) | Self::Kind(part) => (Some(&**part), None),
            Self::Map(pair) => (Some(&pair.0), Some(&pair.1)),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Dyn | Self::Error)
    }

    /// Whether `null` may stand for a value of this type.
    fn is_nullable(&self) -> bool {
        matches!(self, Self::Null | Self::Timestamp | Self::Duration)
    }

    /// Whether `other` says at least as much as this type.
    fn is_no_more_specific_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn | Self::Var(_), _) | (Self::Kind(_), Self::Kind(_)) => true,
            (_, Self::Dyn | Self::Var(_)) => false,
            (Self::List(ours), Self::List(theirs)) => ours.is_no_more_specific_than(theirs),
            (Self::Map(ours), Self::Map(theirs)) => {
                ours.0.is_no_more_specific_than(&theirs.0) && ours.1.is_no_more_specific_than(&theirs.1)
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn | Self::Var(_) => "dyn",
            Self::Error => "!error!",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::List(element) => return write!(f, "list({element})"),
            Self::Map(pair) => return write!(f, "map({}, {})", pair.0, pair.1),
            Self::Kind(of) => return write!(f, "type({of})"),
        })
    }
}

/// What has been found out about [`Type::Var`]s.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    bound: Vec<Option<Type>>,
    /// What was known before each change, so that a type that does not fit leaves nothing behind.
    undo: Vec<(usize, Option<Type>)>,
}

/// What came of giving a variable a type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Yes,
    /// The variable has another type.
    Conflict,
    /// The type is made of the variable itself.
    Circular,
}

impl Bindings {
    /// A type that is to be found out.
    pub(super) fn fresh(&mut self) -> Type {
        self.bound.push(None);
        Type::Var(self.bound.len() - 1)
    }

    /// Whether `from` may stand where `to` is asked for. If so, remembers what that tells about variables.
    pub(super) fn assign(&mut self, from: &Type, to: &Type) -> bool {
        self.assign_all(std::slice::from_ref(from), std::slice::from_ref(to))
    }

    /// As [`assign`](Self::assign), for each of a list: all of them or none.
    pub(super) fn assign_all(&mut self, from: &[Type], to: &[Type]) -> bool {
        self.undo.clear();
        let fits = from.len() == to.len() && from.iter().zip(to).all(|(from, to)| self.unify(from, to));
        if !fits {
            while let Some((variable, before)) = self.undo.pop() {
                self.bound[variable] = before;
            }
        }
        fits
    }

    /// The more general of two types that fit each other.
    pub(super) fn join(&mut self, one: Type, other: &Type) -> Type {
        if !self.assign(&one, other) {
            return Type::Dyn;
        }
        if one.is_no_more_specific_than(other) { one } else { other.clone() }
    }

    /// The type with what is known put in the place of variables.
    pub(super) fn resolve(&self, given: &Type) -> Type {
        match given {
            Type::Var(variable) => match &self.bound[*variable] {
                Some(known) => self.resolve(known),
                None => given.clone(),
            },
            Type::List(element) => Type::list(self.resolve(element)),
            Type::Map(pair) => Type::map(self.resolve(&pair.0), self.resolve(&pair.1)),
            Type::Kind(of) => Type::Kind(Box::new(self.resolve(of))),
            _ => given.clone(),
        }
    }

    fn unify(&mut self, from: &Type, to: &Type) -> bool {
        if let Type::Var(variable) = to {
            match self.bind(*variable, from) {
                Bound::Yes => return true,
                Bound::Conflict => return false,
                Bound::Circular => {}
            }
        }
        if let Type::Var(variable) = from {
            return self.bind(*variable, to) == Bound::Yes;
        }
        match (from, to) {
            _ if from.is_open() || to.is_open() => true,
            (Type::Null, other) | (other, Type::Null) => other.is_nullable(),
            (Type::Kind(_), Type::Kind(_)) => true,
            (Type::List(from), Type::List(to)) => self.unify(from, to),
            (Type::Map(from), Type::Map(to)) => self.unify(&from.0, &to.0) && self.unify(&from.1, &to.1),
            _ => from == to,
        }
    }

    fn bind(&mut self, variable: usize, given: &Type) -> Bound {
        if *given == Type::Var(variable) {
            return Bound::Yes;
        }
        let Some(known) = self.bound[variable].clone() else {
            if self.mentions(given, variable) {
                return Bound::Circular;
            }
            self.set(variable, given.clone());
            return Bound::Yes;
        };
        if *given == known {
            return Bound::Yes;
        }
        if !self.unify(given, &known) {
            return Bound::Conflict;
        }
        if given.is_no_more_specific_than(&known) && !self.mentions(given, variable) {
            self.set(variable, given.clone());
        }
        Bound::Yes
    }

    fn set(&mut self, variable: usize, known: Type) {
        let before = self.bound[variable].replace(known);
        self.undo.push((variable, before));
    }

    fn mentions(&self, within: &Type, variable: usize) -> bool {
        match within {
            Type::Var(other) if *other == variable => true,
            Type::Var(other) => self.bound[*other].as_ref().is_some_and(|known| self.mentions(known, variable)),
            _ => within.parts().any(|part| self.mentions(part, variable)),
        }
    }
}
