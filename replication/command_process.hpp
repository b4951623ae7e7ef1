// One run of source.oauth_token_command, without waiting for it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace pgcourier::replication {

// A file descriptor and its owner.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  void reset(int number = -1);

 private:
  int number_;
};

// Used from one thread. The caller waits until share_events() is readable, calls proceed(), and
// begins anew until ended(). The destructor kills the process and all of its group.
class CommandProcess {
 public:
  // Throws SettingsError if there is no such program or it may not be run, TokenCommandError if
  // the system can't start it now.
  CommandProcess(const std::vector<std::string>& command, std::chrono::milliseconds limit);
  ~CommandProcess();
  CommandProcess(const CommandProcess&) = delete;
  CommandProcess& operator=(const CommandProcess&) = delete;

  // A new descriptor, the caller's, that is readable when there is something to do.
  int share_events() const;

  // Takes what has come. Throws TokenCommandError for too much output, or past the time limit.
  void proceed();
  bool ended() const { return process_ < 0; }

  // REQUIRES: ended(). Throws TokenCommandError unless it ended well and printed something.
  std::string take_output();

 private:
  void start(int output, int errors);
  void watch(int descriptor) const;
  void kill_group();
  [[noreturn]] void fail(const std::string& reason) const;

  std::vector<std::string> command_;
  std::chrono::milliseconds limit_;
  pid_t process_ = -1;  // not yet reaped
  int status_ = 0;      // as waitpid() gives it
  std::string output_;
  std::string errors_;  // the end of them
  Descriptor output_end_, errors_end_, process_end_, timer_, events_;
};

}  // namespace pgcourier::replication
