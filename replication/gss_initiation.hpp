// Establishes a GSSAPI context without blocking the io thread.
#pragma once

#include <memory>
#include <string>

#include "config/connection_string.hpp"
#include "replication/gss_context.hpp"

namespace pgcourier::replication {

// Each call into the library runs on a thread of its own, because it may ask a KDC, which may be
// silent for a minute, and nothing can stop it. The thread is not waited for: it owns what it
// touches, so a connection that gives up (connect_timeout) just lets go, as does the process at its
// end. The threads of Asio's resolver would be joined. One call at a time.
class GssInitiation {
 public:
  GssInitiation(const config::ConnectionTarget& target, const config::Host& host,
                GssPurpose purpose);

  void acquire_credential();
  void step(std::string token);

  // Of the call under way; readable once it is done. The descriptor lives until the next call.
  int done_at() const;
  bool done() const;
  // REQUIRES: done(). Its outcome, or its GssError.
  GssContext::Step take();

  // REQUIRES: the last step was complete.
  GssContext& context() { return *context_; }

 private:
  struct Call;
  template <typename Function>
  void start(Function function);

  std::shared_ptr<GssContext> context_;
  std::shared_ptr<Call> call_;
};

}  // namespace pgcourier::replication
