// SCRAM's long computation, without blocking the io thread.
#pragma once

#include <exception>
#include <stop_token>
#include <string>
#include <thread>

#include "protocol/scram_proof.hpp"
#include "replication/command_process.hpp"

namespace pgcourier::replication {

// The destructor stops it, within about a millisecond.
class SaltingThread {
 public:
  // Throws ConnectionError if the system has no thread for us now.
  explicit SaltingThread(protocol::PasswordSalting salting);

  // Readable once it is done.
  int done_at() const { return done_.number(); }
  // REQUIRES: it is done. The salted password, or the error.
  std::string take();

 private:
  void compute(const std::stop_token& stop);

  protocol::PasswordSalting salting_;  // the thread's
  std::exception_ptr error_;           // the thread's
  Descriptor done_;
  std::jthread thread_;  // the last member: joined before the others go
};

}  // namespace pgcourier::replication
