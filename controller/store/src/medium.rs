//! What an engine has to bring: one ordered key space with atomic, durable writes and consistent views.

use bytes::Bytes;

use crate::{error::StoreError, layout::Stretch};

/// A full key and its value.
pub(crate) type Pair = (Bytes, Bytes);

/// One change of the key space.
pub(crate) enum Write {
    Put(Vec<u8>, Bytes),
    Delete(Vec<u8>),
}

/// An engine, below everything that is the same for all engines.
pub(crate) trait Medium: Send + Sync {
    /// Everything as it is now.
    fn view(&self) -> Result<Box<dyn View>, StoreError>;

    /// Does all of it or nothing, and returns once it is durable. Called by one thread at a time.
    fn write(&self, writes: Vec<Write>) -> Result<(), StoreError>;

    /// Fills an empty medium with what `pairs` yields, all of it or nothing; an error from `pairs` means nothing.
    fn load(&self, pairs: &mut dyn Iterator<Item = Result<Pair, StoreError>>) -> Result<(), StoreError>;

    /// Looks for damage in the engine's own structures.
    fn check(&self) -> Result<(), StoreError>;

    /// Gives free space back to the file system.
    fn compact(&self) -> Result<(), StoreError>;

    /// Bytes on disk.
    fn size(&self) -> Result<u64, StoreError>;
}

/// A consistent view of a medium.
pub(crate) trait View: Send {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The keys of a stretch with their values, in order.
    fn range<'a>(
        &'a self,
        stretch: Stretch,
    ) -> Result<Box<dyn Iterator<Item = Result<Pair, StoreError>> + 'a>, StoreError>;
}
