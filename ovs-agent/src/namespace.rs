//! Network namespaces: how they are named, which is which, and how to do something inside one.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns};
use rtnetlink::Handle;
use tokio::sync::oneshot;

use crate::error::AgentError;

/// Where `ip netns` keeps the namespaces that have a name.
const NAMED: &str = "/run/netns";

/// How a namespace is pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, like `/proc/1234/ns/net`.
    Path(PathBuf),
    /// A name of `ip netns`.
    Name(String),
    /// A process that lives in it.
    Pid(u32),
}

impl Place {
    /// A path if the text has a slash, else a name.
    pub fn spelled(text: &str) -> Place {
        if text.contains('/') { Place::Path(text.into()) } else { Place::Name(text.to_owned()) }
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        match self {
            Place::Path(path) => path.clone(),
            Place::Name(name) => Path::new(NAMED).join(name),
            Place::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
        }
    }
}

/// Tells a namespace from all others that live: the device and inode of its file. Used again once it is gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamespaceId(pub String);

/// An open namespace: it stays as long as this does, even if its last process ends.
#[derive(Debug, Clone)]
pub struct Namespace {
    path: PathBuf,
    file: Arc<File>,
    id: NamespaceId,
}

impl Namespace {
    /// Opens a namespace.
    ///
    /// # Errors
    /// [`AgentError::Namespace`].
    pub fn open(place: &Place) -> Result<Namespace, AgentError> {
        let path = place.path();
        let failed = |source| AgentError::Namespace { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        let id = NamespaceId(format!("{}:{}", facts.dev(), facts.ino()));
        Ok(Namespace { path, file: Arc::new(file), id })
    }

    /// The namespace that this process is in: the host's.
    ///
    /// # Errors
    /// [`AgentError::Namespace`].
    pub fn here() -> Result<Namespace, AgentError> {
        Namespace::open(&Place::Path("/proc/thread-self/ns/net".into()))
    }

    /// The file it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which namespace it is.
    pub fn id(&self) -> &NamespaceId {
        &self.id
    }

    /// A number by which the kernel knows it in netlink messages of this process. Valid as long as this value lives.
    pub fn raw(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Does something inside, with a route netlink connection of the namespace.
    ///
    /// The work gets a thread of its own that ends with it: a thread that entered a namespace must never go back to a
    /// pool. It runs to its end even if nobody waits for it any more.
    ///
    /// # Errors
    /// [`AgentError::Namespace`] when it cannot be entered, else what the work says.
    pub async fn within<T, W>(&self, work: W) -> Result<T, AgentError>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Handle) -> Result<T, AgentError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        let namespace = self.clone();
        let failed = |source| AgentError::Namespace { path: self.path.clone(), source };
        let body = move || {
            // If nobody waits any more, nobody wants the answer.
            let _ = answer.send(enter(&namespace, work));
        };
        thread::Builder::new().name("in-namespace".to_owned()).spawn(body).map_err(failed)?;
        done.await.unwrap_or_else(|_| Err(failed(io::Error::other("the work inside panicked"))))
    }
}

fn enter<T, W>(namespace: &Namespace, work: W) -> Result<T, AgentError>
where
    W: AsyncFnOnce(&Handle) -> Result<T, AgentError>,
{
    let failed = |source: io::Error| AgentError::Namespace { path: namespace.path.clone(), source };
    setns(&*namespace.file, CloneFlags::CLONE_NEWNET).map_err(|errno| failed(errno.into()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let (connection, handle, _messages) = rtnetlink::new_connection().map_err(failed)?;
        tokio::spawn(connection);
        work(&handle).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_paths_names_or_processes() {
        assert_eq!(Place::spelled("blue").path(), Path::new("/run/netns/blue"));
        assert_eq!(Place::spelled("/proc/7/ns/net").path(), Path::new("/proc/7/ns/net"));
        assert_eq!(Place::Pid(7).path(), Path::new("/proc/7/ns/net"));
    }

    #[tokio::test]
    async fn what_is_no_namespace_cannot_be_entered() {
        let missing = Namespace::open(&Place::Path("/run/netns/there-is-none".into()));
        assert!(matches!(missing, Err(AgentError::Namespace { .. })), "{missing:?}");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let namespace = Namespace::open(&Place::Path(file.path().into())).expect("it opens");
        let entered = namespace.within(async |_: &Handle| Ok(())).await;
        assert!(matches!(entered, Err(AgentError::Namespace { .. })), "{entered:?}");
    }

    #[test]
    fn the_same_namespace_is_known_by_any_path() {
        let here = Namespace::here().expect("a namespace");
        let again = Namespace::open(&Place::Pid(std::process::id())).expect("a namespace");
        assert_eq!(here.id(), again.id());
    }
}
