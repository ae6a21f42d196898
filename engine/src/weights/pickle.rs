//! The part of Python's pickle protocol that describes one tensor, read without running anything.
//!
//! A pickle is a program for a small stack machine, and Python's own reader lets it call any
//! function. This reader knows the data instructions, and turns the three names that a saved
//! tensor needs into values of its own; every other name is refused.

use super::layout::{Fault, shown};

/// What a pickle's instructions put together.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `True` or `False`.
    Plain,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A mapping, of which only the emptiness matters here.
    Dict,
    /// `module name` of a Python object.
    Global(String),
    /// A reference to a storage outside the pickle.
    Persistent(Box<Value>),
    /// The result of `torch._utils._rebuild_tensor_v2` with these arguments.
    Tensor(Vec<Value>),
}

/// Longest pickle of one bare tensor, generously; ours have 170 bytes.
const LONGEST: usize = 64 << 10;
/// Most values that live at once, counting those inside tuples.
const MOST_VALUES: usize = 4096;

/// Names that may be called, with what they give.
const REBUILD: &str = "torch._utils _rebuild_tensor_v2";
const DICT: &str = "collections OrderedDict";

enum Slot {
    Mark,
    Value(Value),
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Slot>,
    memo: Vec<(u32, Value)>,
    made: usize,
}

/// Reads a pickle to its end.
///
/// # Errors
/// When it is cut, malformed, or holds anything but plain data and one tensor.
pub fn read(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.len() > LONGEST {
        return Err(Fault::damaged(
            "the file's description is longer than that of one tensor",
        ));
    }
    let mut machine = Machine {
        bytes,
        at: 0,
        stack: Vec::new(),
        memo: Vec::new(),
        made: 0,
    };
    loop {
        let code = machine.byte()?;
        if code == b'.' {
            return machine.pop();
        }
        machine.step(code)?;
    }
}

impl Machine<'_> {
    fn step(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            0x80 => {
                let protocol = self.byte()?;
                if protocol > 5 {
                    return Err(Fault::damaged(format!(
                        "pickle protocol {protocol} is not known"
                    )));
                }
            }
            // A frame only announces its length.
            0x95 => drop(self.array::<8>()?),
            b'(' => self.push_slot(Slot::Mark)?,
            b'N' | 0x88 | 0x89 => self.push(Value::Plain)?,
            b'K' => {
                let value = self.byte()?;
                self.push(Value::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            0x8a => self.long()?,
            b'X' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                self.text(length)?;
            }
            0x8c => {
                let length = self.byte()?.into();
                self.text(length)?;
            }
            b'}' => self.push(Value::Dict)?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))?;
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let mut items = (0..count)
                    .map(|_| self.pop())
                    .collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.push(Value::Tuple(items))?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(malformed());
                };
                self.global(&module, &name)?;
            }
            b'R' => self.call()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(Box::new(id)))?;
            }
            b'q' => {
                let key = self.byte()?.into();
                self.remember(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key)?;
            }
            0x94 => {
                let key = u32::try_from(self.memo.len()).map_err(|_| malformed())?;
                self.remember(key)?;
            }
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b']' | b'l' | b'a' | b'e' | b's' | b'u' | b'd' => return Err(not_bare()),
            other => {
                return Err(Fault::damaged(format!(
                    "pickle instruction {other:#04x} does not belong to a saved tensor"
                )));
            }
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let full = format!("{module} {name}");
        let storage = module == "torch" && name.ends_with("Storage") && name.len() < 32;
        if !(storage || full == REBUILD || full == DICT) {
            return Err(Fault {
                what: format!(
                    "the file asks to run `{}`, which no saved latent needs",
                    shown(&full)
                ),
                hint: "do not trust it; precompute the latents again",
            });
        }
        self.push(Value::Global(full))
    }

    fn call(&mut self) -> Result<(), Fault> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let value = match (function, arguments) {
            (Value::Global(name), Value::Tuple(items)) if name == DICT && items.is_empty() => {
                Value::Dict
            }
            (Value::Global(name), Value::Tuple(items)) if name == REBUILD => Value::Tensor(items),
            _ => return Err(malformed()),
        };
        self.push(value)
    }

    /// A little-endian number of a stated number of bytes.
    fn long(&mut self) -> Result<(), Fault> {
        let length = usize::from(self.byte()?);
        let bytes = self.take(length)?;
        if length > 8 {
            return Err(Fault::damaged("the file holds a number that is too large"));
        }
        let sign = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = if sign { [0xff; 8] } else { [0; 8] };
        wide[..length].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn text(&mut self, length: usize) -> Result<(), Fault> {
        let text = String::from_utf8(self.take(length)?.to_vec()).map_err(|_| malformed())?;
        self.push(Value::Text(text))
    }

    fn line(&mut self) -> Result<String, Fault> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(malformed)?;
        self.at += length + 1;
        String::from_utf8(rest[..length].to_vec()).map_err(|_| malformed())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, Fault> {
        let mark = self
            .stack
            .iter()
            .rposition(|slot| matches!(slot, Slot::Mark))
            .ok_or_else(malformed)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items
            .into_iter()
            .filter_map(|slot| {
                if let Slot::Value(value) = slot {
                    Some(value)
                } else {
                    None
                }
            })
            .collect())
    }

    fn remember(&mut self, key: u32) -> Result<(), Fault> {
        let Some(Slot::Value(value)) = self.stack.last() else {
            return Err(malformed());
        };
        let value = value.clone();
        self.count(&value)?;
        self.memo.push((key, value));
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), Fault> {
        let found = self
            .memo
            .iter()
            .rev()
            .find(|(known, _)| *known == key)
            .ok_or_else(malformed)?;
        let value = found.1.clone();
        self.push(value)
    }

    fn push(&mut self, value: Value) -> Result<(), Fault> {
        self.count(&value)?;
        self.push_slot(Slot::Value(value))
    }

    fn push_slot(&mut self, slot: Slot) -> Result<(), Fault> {
        if self.stack.len() > MOST_VALUES {
            return Err(malformed());
        }
        self.stack.push(slot);
        Ok(())
    }

    /// Bounds the work of copying: a short program can double a value again and again.
    fn count(&mut self, value: &Value) -> Result<(), Fault> {
        self.made = self.made.saturating_add(size(value));
        if self.made > MOST_VALUES * 16 {
            Err(Fault::damaged("the file's description unfolds without end"))
        } else {
            Ok(())
        }
    }

    fn pop(&mut self) -> Result<Value, Fault> {
        match self.stack.pop() {
            Some(Slot::Value(value)) => Ok(value),
            _ => Err(malformed()),
        }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], Fault> {
        let rest = &self.bytes[self.at..];
        let taken = rest
            .get(..count)
            .ok_or_else(|| Fault::damaged("the file's description is cut short"))?;
        self.at += count;
        Ok(taken)
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Tuple(items) | Value::Tensor(items) => items
            .iter()
            .fold(1, |sum, item| sum.saturating_add(size(item))),
        Value::Persistent(inner) => 1 + size(inner),
        Value::Text(text) | Value::Global(text) => 1 + text.len() / 16,
        Value::Plain | Value::Int(_) | Value::Dict => 1,
    }
}

fn malformed() -> Fault {
    Fault::damaged("the file's description of its tensor is not a pickle")
}

fn not_bare() -> Fault {
    Fault {
        what: "the file holds a list or dictionary, not one bare tensor".into(),
        hint: "a latent is one tensor; convert other files to safetensors",
    }
}
