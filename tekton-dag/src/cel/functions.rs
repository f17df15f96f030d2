//! The standard functions and operators of CEL: which types they take, and which they give.

use super::types::{Bindings, Type};

/// The type of an operand or a result. `A` and `B` are any types, the same wherever they stand in one overload.
#[derive(Clone, Copy)]
enum Sig {
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Dyn,
    A,
    B,
    ListOfA,
    MapOfAToB,
    TypeOfA,
}

/// One way to call a function.
pub(super) struct Overload {
    /// Whether the first operand stands before the name, with a dot.
    pub(super) is_member: bool,
    operands: &'static [Sig],
    result: Sig,
}

impl Overload {
    /// The types of the operands and of the result.
    pub(super) fn types(&self, bindings: &mut Bindings) -> (Vec<Type>, Type) {
        let mut any = [None, None];
        let mut type_of = |sig| self::type_of(sig, &mut any, bindings);
        let operands = self.operands.iter().map(|sig| type_of(*sig)).collect();
        (operands, type_of(self.result))
    }
}

fn type_of(sig: Sig, any: &mut [Option<Type>; 2], bindings: &mut Bindings) -> Type {
    let [a, b] = any;
    match sig {
        Sig::Bool => Type::Bool,
        Sig::Int => Type::Int,
        Sig::Uint => Type::Uint,
        Sig::Double => Type::Double,
        Sig::String => Type::String,
        Sig::Bytes => Type::Bytes,
        Sig::Timestamp => Type::Timestamp,
        Sig::Duration => Type::Duration,
        Sig::Dyn => Type::Dyn,
        Sig::A => a.get_or_insert_with(|| bindings.fresh()).clone(),
        Sig::B => b.get_or_insert_with(|| bindings.fresh()).clone(),
        Sig::ListOfA => Type::list(a.get_or_insert_with(|| bindings.fresh()).clone()),
        Sig::TypeOfA => Type::Kind(Box::new(a.get_or_insert_with(|| bindings.fresh()).clone())),
        Sig::MapOfAToB => {
            let key = a.get_or_insert_with(|| bindings.fresh()).clone();
            Type::map(key, b.get_or_insert_with(|| bindings.fresh()).clone())
        }
    }
}

const fn call(operands: &'static [Sig], result: Sig) -> Overload {
    Overload { is_member: false, operands, result }
}

const fn member(operands: &'static [Sig], result: Sig) -> Overload {
    Overload { is_member: true, operands, result }
}

/// The name of a type as a value.
pub(super) fn named_type(name: &str) -> Option<Type> {
    Some(Type::Kind(Box::new(match name {
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "double" => Type::Double,
        "int" => Type::Int,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "null_type" => Type::Null,
        "string" => Type::String,
        "type" => Type::Kind(Box::new(Type::Dyn)),
        "uint" => Type::Uint,
        _ => return None,
    })))
}

/// The ways to call a function or operator; none when there is no such function.
#[expect(clippy::too_many_lines, reason = "one table, a function an entry")]
pub(super) fn overloads(name: &str) -> &'static [Overload] {
    use Sig::{A, B, Bool, Bytes, Double, Duration, Dyn, Int, ListOfA, MapOfAToB, String, Timestamp, TypeOfA, Uint};
    match name {
        "_?_:_" => const { &[call(&[Bool, A, A], A)] },
        "!_" | "@not_strictly_false" => const { &[call(&[Bool], Bool)] },
        "_==_" | "_!=_" => const { &[call(&[A, A], Bool)] },
        "_<_" | "_<=_" | "_>_" | "_>=_" => {
            const {
                &[
                    call(&[Bool, Bool], Bool),
                    call(&[Int, Int], Bool),
                    call(&[Uint, Uint], Bool),
                    call(&[Double, Double], Bool),
                    call(&[String, String], Bool),
                    call(&[Bytes, Bytes], Bool),
                    call(&[Timestamp, Timestamp], Bool),
                    call(&[Duration, Duration], Bool),
                ]
            }
        }
        "_+_" => {
            const {
                &[
                    call(&[Bytes, Bytes], Bytes),
                    call(&[Double, Double], Double),
                    call(&[Duration, Duration], Duration),
                    call(&[Duration, Timestamp], Timestamp),
                    call(&[Timestamp, Duration], Timestamp),
                    call(&[Int, Int], Int),
                    call(&[ListOfA, ListOfA], ListOfA),
                    call(&[String, String], String),
                    call(&[Uint, Uint], Uint),
                ]
            }
        }
        "_-_" => {
            const {
                &[
                    call(&[Double, Double], Double),
                    call(&[Duration, Duration], Duration),
                    call(&[Int, Int], Int),
                    call(&[Timestamp, Duration], Timestamp),
                    call(&[Timestamp, Timestamp], Duration),
                    call(&[Uint, Uint], Uint),
                ]
            }
        }
        "_*_" | "_/_" => {
            const { &[call(&[Double, Double], Double), call(&[Int, Int], Int), call(&[Uint, Uint], Uint)] }
        }
        "_%_" => const { &[call(&[Int, Int], Int), call(&[Uint, Uint], Uint)] },
        "-_" => const { &[call(&[Double], Double), call(&[Int], Int)] },
        "_[_]" => const { &[call(&[ListOfA, Int], A), call(&[MapOfAToB, A], B)] },
        "@in" => const { &[call(&[A, ListOfA], Bool), call(&[A, MapOfAToB], Bool)] },
        "size" => {
            const {
                &[
                    call(&[Bytes], Int),
                    call(&[ListOfA], Int),
                    call(&[MapOfAToB], Int),
                    call(&[String], Int),
                    member(&[Bytes], Int),
                    member(&[ListOfA], Int),
                    member(&[MapOfAToB], Int),
                    member(&[String], Int),
                ]
            }
        }
        "type" => const { &[call(&[A], TypeOfA)] },
        "dyn" => const { &[call(&[A], Dyn)] },
        "bool" => const { &[call(&[Bool], Bool), call(&[String], Bool)] },
        "bytes" => const { &[call(&[Bytes], Bytes), call(&[String], Bytes)] },
        "double" => {
            const { &[call(&[Double], Double), call(&[Int], Double), call(&[String], Double), call(&[Uint], Double)] }
        }
        "duration" => const { &[call(&[Duration], Duration), call(&[String], Duration)] },
        "int" => {
            const {
                &[
                    call(&[Int], Int),
                    call(&[Double], Int),
                    call(&[Duration], Int),
                    call(&[String], Int),
                    call(&[Timestamp], Int),
                    call(&[Uint], Int),
                ]
            }
        }
        "string" => {
            const {
                &[
                    call(&[String], String),
                    call(&[Bool], String),
                    call(&[Bytes], String),
                    call(&[Double], String),
                    call(&[Duration], String),
                    call(&[Int], String),
                    call(&[Timestamp], String),
                    call(&[Uint], String),
                ]
            }
        }
        "timestamp" => const { &[call(&[Timestamp], Timestamp), call(&[Int], Timestamp), call(&[String], Timestamp)] },
        "uint" => const { &[call(&[Uint], Uint), call(&[Double], Uint), call(&[Int], Uint), call(&[String], Uint)] },
        "contains" | "endsWith" | "startsWith" => const { &[member(&[String, String], Bool)] },
        "matches" => const { &[call(&[String, String], Bool), member(&[String, String], Bool)] },
        "getFullYear" | "getMonth" | "getDayOfYear" | "getDayOfMonth" | "getDate" | "getDayOfWeek" => {
            const { &[member(&[Timestamp], Int), member(&[Timestamp, String], Int)] }
        }
        "getHours" | "getMinutes" | "getSeconds" | "getMilliseconds" => {
            const { &[member(&[Timestamp], Int), member(&[Timestamp, String], Int), member(&[Duration], Int)] }
        }
        _ => &[],
    }
}
