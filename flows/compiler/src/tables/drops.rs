//! Table drop, and what every table does with packets that no flow matches.

use crate::fields::Fields;
use crate::pipeline::{DROP, Miss, TABLES};
use crate::reasons::Reason;
use crate::registers::REASON;
use crate::sheet::{Sheet, Then};

/// One flow per reason, whose counter counts it, and the miss of every table.
pub(crate) fn host(sheet: &mut Sheet) {
    for reason in Reason::ALL {
        sheet.flow(&DROP, 100, Fields::new().with(REASON.is(reason.number())), Then::new());
    }
    for table in TABLES {
        let then = match table.miss {
            Miss::Drop(reason) => Then::drop(reason),
            Miss::Goto(next) => Then::new().goto(next),
            Miss::Back | Miss::End => Then::new(),
        };
        sheet.flow(table, 0, Fields::new(), then);
    }
}
