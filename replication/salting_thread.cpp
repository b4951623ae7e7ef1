#include "replication/salting_thread.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "replication/connection_error.hpp"

namespace pgcourier::replication {
namespace {

constexpr std::uint32_t iterations_between_looks = 500;

}  // namespace

SaltingThread::SaltingThread(protocol::PasswordSalting salting) try
    : salting_(std::move(salting)), done_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (done_.number() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::jthread([this](const std::stop_token& stop) { compute(stop); });
} catch (const std::system_error& error) {
  throw ConnectionError(std::string("no thread for SCRAM: ") + error.what());
}

void SaltingThread::compute(const std::stop_token& stop) {
  try {
    while (!stop.stop_requested() && !salting_.advance(iterations_between_looks)) {
    }
  } catch (...) {
    error_ = std::current_exception();
  }
  ::eventfd_write(done_.number(), 1);
}

std::string SaltingThread::take() {
  thread_.join();
  if (error_) std::rethrow_exception(error_);
  return salting_.salted_password();
}

}  // namespace pgcourier::replication
