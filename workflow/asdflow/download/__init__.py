"""Verified download: from an address to a file that is whole; does not know what the file holds.

The transport is `requests` (proxies, certificates, redirects, streaming) and the retry policy is
`urllib3.Retry` (which answers are tried again, exponential back-off with jitter, `Retry-After` in seconds or
as a date). This package adds only what no kept library does together: continuing a body by `Range`, one hash
known beforehand for all sources, and moving the file into place after it agreed. What was looked at instead:

* pooch 1.9 checks a known hash, but its HTTP downloader begins anew after a broken connection, retries
  without back-off or `Retry-After`, and has neither a free-space check nor mirrors.
* snakemake-storage-plugin-http 0.3 asks the server for the date of every file whenever the DAG is read, so
  nothing works offline and a changed date fetches again; it neither resumes nor checks a hash.
* snakemake-storage-plugin-zenodo 0.1 takes the checksum from the server on every run, so a record that
  changes goes unnoticed; no resume, no mirrors, no other base address for tests.
* snakemake-storage-plugin-cached-http 0.3 is nearest (checksums, bounded connections, rate limits), but
  resumes only in a release candidate, likewise trusts whatever checksum the server names today, knows four
  hosts by name, and its cache keeps a second copy of every file.
* pypdl 1.5 and parfive resume or fetch in parallel, but ignore `Retry-After` and put a file under its final
  name before its hash is known.
"""

from asdflow.download.checks import digest_of, verify
from asdflow.download.locking import locked
from asdflow.download.policy import Policy
from asdflow.download.transfer import fetch, read

__all__ = ["Policy", "digest_of", "fetch", "locked", "read", "verify"]
