//! Which stores drive runs: one row for each open store that does, with the time at which its leases expire.
//!
//! In addition each holds the operating system's lock on a file of its own. The lock ends with the process,
//! so the runs of a dead process can be claimed at once; a suspended process keeps them until its leases
//! expire.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use workflow_core::store::StoreError;

use crate::disk::at;
use crate::host;
use crate::sqlite::fault::{Fault, Outcome};
use crate::sqlite::registration::{LockFile, Registration, is_dead};
use crate::sqlite::writing::Writing;

/// Releases the runs of a holder.
const FREE: &str = "UPDATE run SET holder = NULL WHERE holder = ?1 RETURNING status";

/// Releases the runs of a holder that died, and counts the death for each.
const FREE_OF_THE_DEAD: &str = "UPDATE run SET holder = NULL, died_at = last,
        deaths = CASE WHEN died_at = last THEN deaths + 1 ELSE 1 END
    FROM (SELECT key AS of, coalesce((SELECT max(number) FROM event WHERE run = key), 0) AS last
        FROM run WHERE holder = ?1)
    WHERE key = of RETURNING status";

impl Writing {
    /// Reads again whether this store may drive runs.
    pub(super) fn look_after_registration(&mut self) -> rusqlite::Result<()> {
        let Some(registration) = &self.registration else { return Ok(()) };
        let sql = "SELECT expires FROM holder WHERE id = ?1";
        let expires = self.statement(sql)?.query_row([registration.id], |row| row.get(0)).optional()?;
        if let Some(registration) = &mut self.registration {
            registration.expires = expires.unwrap_or(i64::MIN);
        }
        Ok(())
    }

    /// The registration of this store, if it has a valid one.
    pub(super) fn good_registration(&self) -> Option<i64> {
        let registration = self.registration.as_ref()?;
        (registration.expires > self.now).then_some(registration.id)
    }

    /// Registers this store as a holder with the full lease time.
    pub(super) fn register(&mut self) -> Outcome<i64> {
        let expires = self.end_of_lease();
        if self.good_registration().is_some()
            && let Some(registration) = &mut self.registration
        {
            let (id, before) = (registration.id, registration.expires);
            registration.expires = expires;
            if before != expires {
                self.execute("UPDATE holder SET expires = ?1 WHERE id = ?2", (expires, id))?;
            }
            return Ok(id);
        }
        let lost = self.leave()?;
        let failed = |error| Fault::Refused(at(&self.place.holders)(error));
        let lock = LockFile::create(&self.place.holders).map_err(failed)?;
        let name = host::describe(std::process::id(), host::host_name().as_deref());
        let sql = "INSERT INTO holder (name, lock, expires) VALUES (?1, ?2, ?3) RETURNING id";
        let id = self.statement(sql)?.query_row((&name, lock.name(), expires), |row| row.get(0))?;
        self.registration =
            Some(Registration { id, expires, untold: lost, name: name.into(), _lock: Arc::new(lock) });
        Ok(id)
    }

    /// Releases all leases of this store. Returns whether there were leases that a driver relies on.
    pub(super) fn leave(&mut self) -> rusqlite::Result<bool> {
        let any = self.forget_all();
        let Some(registration) = self.registration.take() else { return Ok(any) };
        let freed = self.free(registration.id, FREE)?;
        Ok(any || freed || registration.untold)
    }

    /// Renews the leases of this store, or fails if they have expired.
    pub(super) fn renew(&mut self) -> Outcome<()> {
        let Some(registration) = &self.registration else { return Ok(()) };
        let untold = registration.untold;
        if self.good_registration().is_some() && !untold {
            self.register()?;
            return Ok(());
        }
        let lost = self.leave()?;
        // Without leases, nothing was lost.
        if lost { Err(StoreError::Expired.into()) } else { Ok(()) }
    }

    /// Deletes that holder. Returns whether it drove any run.
    fn free(&mut self, holder: i64, sql: &str) -> rusqlite::Result<bool> {
        let freed = {
            let mut free = self.statement(sql)?;
            let statuses = free.query_map([holder], |row| row.get::<_, String>(0))?;
            statuses.collect::<rusqlite::Result<Vec<_>>>()?
        };
        self.execute("DELETE FROM holder WHERE id = ?1", [holder])?;
        if freed.iter().any(|status| is_claimable(status)) {
            self.after.claimable = true;
            self.signal()?;
        }
        Ok(!freed.is_empty())
    }

    /// Deletes every dead holder, so that its runs can be claimed.
    pub(super) fn bury(&mut self) -> rusqlite::Result<()> {
        let own = self.registration.as_ref().map(|registration| registration.id);
        let others = {
            let mut others = self.statement("SELECT id, lock, expires FROM holder WHERE id IS NOT ?1")?;
            let rows = others.query_map([own], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        };
        for (id, lock, expires) in others {
            if is_dead(&self.place.holders, &lock, expires, self.now) {
                tracing::info!(holder = %lock, "released the runs of a process that died or whose leases expired");
                self.free(id, FREE_OF_THE_DEAD)?;
                self.after.buried.push(self.place.holders.join(lock));
            }
        }
        Ok(())
    }

    /// Describes that holder, if it is alive.
    pub(super) fn living(&self, holder: i64) -> rusqlite::Result<Option<String>> {
        if let Some(own) = self.registration.as_ref().filter(|own| own.id == holder) {
            return Ok((own.expires > self.now).then(|| own.name.to_string()));
        }
        let sql = "SELECT name, lock, expires FROM holder WHERE id = ?1";
        let row = self.statement(sql)?.query_row([holder], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        });
        let living = |lock: &str, expires: i64| !is_dead(&self.place.holders, lock, expires, self.now);
        Ok(row.optional()?.and_then(|(name, lock, expires)| living(&lock, expires).then_some(name)))
    }

    fn end_of_lease(&self) -> i64 {
        let time = i64::try_from(self.options.lease_time.as_nanos()).unwrap_or(i64::MAX);
        self.now.saturating_add(time)
    }
}

/// Whether a run with that status continues by itself.
pub(super) fn is_claimable(status: &str) -> bool {
    matches!(status, "pending" | "running")
}
