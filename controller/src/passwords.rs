//! Hashing passwords (argon2id, PHC strings). That is slow and takes memory on purpose, so it happens for few at a time, never on
//! a thread that answers requests, and whoever would wait too long is told to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use thiserror::Error;
use tokio::sync::Semaphore;
use weft_model::PasswordHash;

/// Most bytes of a password. What is longer is nobody's password.
pub const LONGEST: usize = 1024;
/// How many may wait for their turn.
const WAITING: usize = 128;
/// How many are hashed at the same time, at most: each takes 19 MiB.
const AT_ONCE: usize = 4;

/// Why a password was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotHashed {
    /// Too many others wait.
    #[error("too many passwords are being checked")]
    Busy,
    /// No entropy, or no memory.
    #[error("the password cannot be hashed")]
    Failed,
}

/// What a password is compared with when there is nobody to compare it for, so that this takes as long.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The place where passwords are hashed; clones share it.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Passwords {
    /// A place for as many at once as half of the cores, at most four.
    fn default() -> Passwords {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let turns = Arc::new(Semaphore::new((cores / 2).clamp(1, AT_ONCE)));
        Passwords { turns, waiting: Arc::default() }
    }
}

impl Passwords {
    /// Hashes a password.
    ///
    /// # Errors
    /// [`NotHashed`]; the request may be repeated.
    pub async fn hash(&self, password: String) -> Result<PasswordHash, NotHashed> {
        self.in_turn(move || hash_now(&password)).await?
    }

    /// True if the password is the one that was hashed. Without a hash it is not, and finding out takes as long.
    ///
    /// # Errors
    /// [`NotHashed`]; the request may be repeated.
    pub async fn check(&self, password: String, against: Option<PasswordHash>) -> Result<bool, NotHashed> {
        let is_there = against.is_some();
        let hash = against.unwrap_or_else(|| PasswordHash::new(DECOY));
        let is_right = self.in_turn(move || {
            let text = &password.as_bytes()[..password.len().min(LONGEST)];
            Argon2::default().verify_password(text, hash.as_str()).is_ok() && password.len() <= LONGEST
        });
        Ok(is_right.await? && is_there)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        let _place = Place::take(&self.waiting)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| NotHashed::Failed)?;
        // The turn ends with the work, also when nobody waits for it any more.
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| NotHashed::Failed)
    }
}

/// One of those who wait or are being served.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Place<'a>, NotHashed> {
        let place = Place(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) < WAITING { Ok(place) } else { Err(NotHashed::Busy) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Hashes a password on this very thread: for start-up and tools.
///
/// # Errors
/// [`NotHashed::Failed`] without entropy.
pub fn hash_now(password: &str) -> Result<PasswordHash, NotHashed> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| NotHashed::Failed)?;
    Ok(PasswordHash::new(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let passwords = Passwords::default();
        let hash = passwords.hash("open sesame".into()).await.expect("hashed");
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_ne!(hash, passwords.hash("open sesame".into()).await.expect("hashed"), "salted");
        assert_eq!(passwords.check("open sesame".into(), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.check("open barley".into(), Some(hash)).await, Ok(false));
        assert_eq!(passwords.check("open sesame".into(), None).await, Ok(false));
        assert_eq!(passwords.check("x".into(), Some(PasswordHash::new("damaged"))).await, Ok(false));
    }

    #[test]
    fn the_decoy_costs_what_a_password_costs() {
        let begins = |text: &str| text.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(begins(DECOY), begins(hash_now("x").expect("hashed").as_str()));
        assert!(argon2::password_hash::phc::PasswordHash::new(DECOY).is_ok_and(|hash| hash.hash.is_some()));
    }

    #[tokio::test]
    async fn those_who_would_wait_too_long_are_sent_away() {
        let passwords = Passwords { turns: Arc::new(Semaphore::new(0)), ..Passwords::default() };
        let crowd: Vec<_> = (0..WAITING)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.check("x".into(), None).await })
            })
            .collect();
        while passwords.waiting.load(Ordering::Relaxed) < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(passwords.check("x".into(), None).await, Err(NotHashed::Busy));
        crowd.iter().for_each(tokio::task::JoinHandle::abort);
        for one in crowd {
            drop(one.await);
        }
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0, "who goes away leaves the place");
    }
}
