// What the shim knows of the folder it watches, and the journal it writes of it.
//
// A record is one line of JSON and, where it says "len", that many bytes behind it. power_cut.py
// reads it and says what each means.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace pgcourier::power_cut {

// Of the environment or, while it runs, of the file POWER_CUT_CONTROL; see README.md.
struct Faults {
  std::int64_t room = -1;          // ENOSPC_AFTER, bytes left; -1: no bound
  std::string room_again;          // ENOSPC_UNTIL, a file: there is room once it exists
  std::int64_t failing_sync = 0;   // EIO_FSYNC, the how manieth from now
  std::int64_t failing_write = 0;  // EIO_WRITE
  std::int64_t sync_ms = 0;        // FSYNC_MS

  void set(std::string_view name, const std::string& value);
};

class Journal {
 public:
  static Journal& get();

  // Held over an operation and its record, so that records stand in the order of what happened; not
  // over a sync, which is two records.
  std::mutex mutex;

  // REQUIRES: the mutex is held. Read anew if the control file is another one.
  Faults& faults();
  // REQUIRES: the mutex is held. A line for whoever controls it: that fault was made now.
  void made(std::string_view fault) const;

  // Absolute, without "." and ".."; `folder` is a descriptor or AT_FDCWD.
  std::string absolute(int folder, const char* path) const;
  // Of an open file; empty if it is none of the watched.
  std::string watched(int fd) const;
  bool watches(std::string_view path) const;

  // `members` are JSON: "\"op\":\"write\",…".
  void record(const std::string& members, std::string_view payload = {});

 private:
  Journal();
  void record_base(const std::string& folder);

  std::string root_;  // empty: the shim does nothing
  int fd_ = -1;
  Faults faults_;
  std::string control_;  // a path, or empty
  ino_t control_read_ = 0;
};

std::string json_text(std::string_view text);
std::string inode_of(int fd);  // "\"ino\":123"
std::string content_of(const std::string& path);

}  // namespace pgcourier::power_cut
