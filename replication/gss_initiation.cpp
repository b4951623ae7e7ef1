#include "replication/gss_initiation.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

namespace pgcourier::replication {

// Shared by the thread and whoever waits; the last one closes the descriptor.
struct GssInitiation::Call {
  Call() : event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (event < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Call() { ::close(event); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void finish() {
    done.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event, &one, sizeof(one));
  }

  const int event;
  GssContext::Step step;     // before `done`: the thread's
  std::exception_ptr error;  // before `done`: the thread's
  std::atomic<bool> done = false;
};

GssInitiation::GssInitiation(const config::ConnectionTarget& target, const config::Host& host,
                             GssPurpose purpose)
    : context_(std::make_shared<GssContext>(
          target.krb_srv_name + "@" + (host.name.empty() ? host.address : host.name), purpose,
          target.gss_delegation)) {}

template <typename Function>
void GssInitiation::start(Function function) try {
  call_ = std::make_shared<Call>();
  std::thread([context = context_, call = call_, function = std::move(function)] {
    try {
      call->step = function(*context);
    } catch (...) {
      call->error = std::current_exception();
    }
    call->finish();
  }).detach();
} catch (const std::system_error& error) {
  throw GssError(std::string("no thread for GSSAPI: ") + error.what());
}

void GssInitiation::acquire_credential() {
  start([](GssContext& context) {
    context.acquire_credential();
    return GssContext::Step{};
  });
}

void GssInitiation::step(std::string token) {
  start([token = std::move(token)](GssContext& context) { return context.step(token); });
}

int GssInitiation::done_at() const { return call_->event; }

bool GssInitiation::done() const { return call_->done.load(std::memory_order_acquire); }

GssContext::Step GssInitiation::take() {
  if (call_->error) std::rethrow_exception(call_->error);
  return std::move(call_->step);
}

}  // namespace pgcourier::replication
