//! Calls: functions of the rules and of the language, methods, and paths.

use policy::ir::{Kind, Part};
use policy::rules::lowered::{Function, Method, Rules};

use super::oddity::{Oddity, Question};
use super::reader::{Condition, Frame, Meaning, Reader, Shaped};
use super::shapes;
use crate::logic::Types;

impl<'r> Reader<'r> {
    /// A comparison is where it is written, also when it is in a function.
    pub(super) fn call(&mut self, function: usize, arguments: &'r [Condition], frame: &Frame<'r>) -> Meaning {
        let parameters = self.read_all(arguments, frame);
        match self.lowered.functions.get(function) {
            Some(called) => self.read(&called.body, &Frame { parameters, lets: &called.lets }),
            None => self.meanings.anything(),
        }
    }

    pub(super) fn path(&mut self, parts: &'r [Part<Rules>], frame: &Frame<'r>) -> Meaning {
        let mut key = String::from("path ");
        let mut needs = Vec::new();
        for part in parts {
            key.push('/');
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Value(value) => {
                    let meaning = self.read(value, frame);
                    key.push_str(&format!("$({})", self.meanings.key(&meaning)));
                    needs.extend(self.meanings.need(&meaning, Types::ANY));
                }
            }
        }
        self.meanings.made(key, Types::PATH, needs)
    }

    pub(super) fn function(
        &mut self,
        function: Function,
        arguments: &'r [Condition],
        frame: &Frame<'r>,
    ) -> Meaning {
        let meanings = self.read_all(arguments, frame);
        if function == Function::Debug
            && let [only] = &*meanings
        {
            return only.clone();
        }
        if function.reads()
            && let ([meaning], [written]) = (&*meanings, arguments)
        {
            let types = self.meanings.types(meaning);
            let fits = types.meets(Types::PATH);
            // What can be seen without following calls was told when compiling.
            let literal = matches!(written.kind, Kind::Constant(_) | Kind::List(_) | Kind::Map(_));
            let odd = (!fits && !literal).then_some(Oddity::NoPath { function, types });
            self.note(written.span, Question::IsPath, odd);
            if !fits {
                return Self::fails(written.span);
            }
        }
        let (types, shape) = shapes::returned(function);
        let key = format!("{}({})", function.name(), self.meanings.keys(&meanings));
        let needs = self.meanings.needs(&meanings, Types::ANY);
        match self.meanings.made(key, types, needs) {
            Meaning::Value(Shaped(term, _)) => Meaning::Value(Shaped(term, shape)),
            other => other,
        }
    }

    pub(super) fn method(
        &mut self,
        expr: &'r Condition,
        receiver: &'r Condition,
        method: Method,
        arguments: &'r [Condition],
        frame: &Frame<'r>,
    ) -> Meaning {
        let object = self.read(receiver, frame);
        let meanings = self.read_all(arguments, frame);
        let types = self.meanings.types(&object);
        let (holders, returned) = shapes::method(method);
        let odd =
            (!types.meets(holders)).then_some(Oddity::NoMethod { receiver: receiver.span, types, method });
        if self.note(expr.at, Question::HasMethod, odd) {
            return Self::fails(expr.span);
        }
        let object_key = self.meanings.key(&object);
        let key = format!("{object_key}.{}({})", method.name(), self.meanings.keys(&meanings));
        let mut needs = self.meanings.needs([&object], holders);
        needs.extend(self.meanings.needs(&meanings, Types::ANY));
        self.meanings.made(key, returned, needs)
    }
}
