#include "replication/transport.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "replication/connection.hpp"
#include "replication/peer_user.hpp"

namespace pgcourier::replication {
namespace {

constexpr std::size_t kept_bytes = 1024 * 1024;  // of the buffer for sending, once it is empty

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

// Keeps the socket in the epoll set as long as it lives, so also when a suspended coroutine is
// destroyed with its io context.
class Transport::Registration {
 public:
  explicit Registration(Transport& transport) : transport_(transport) { transport_.enter_epoll(); }
  ~Registration() { transport_.leave_epoll(); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Transport& transport_;
};

Transport::Transport(asio::io_context& io)
    : waiter_(io), deadline_(io), wake_(io), thread_done_(io) {}

Transport::~Transport() { close("closed"); }

void Transport::enter_epoll() {
  if (waits_++ == 0) waiter_.assign(socket_);
}

void Transport::leave_epoll() {
  if (--waits_ == 0 && waiter_.is_open()) waiter_.release();
}

asio::awaitable<void> Transport::wait(asio::posix::descriptor_base::wait_type what) {
  if (closed()) fail(failure_);
  const auto self = shared_from_this();
  const Registration registration(*this);
  boost::system::error_code error;
  co_await waiter_.async_wait(what, asio::redirect_error(asio::use_awaitable, error));
  if (closed()) fail(failure_);
  if (error) fail(error.message());
}

asio::awaitable<void> Transport::connect(const Endpoint& endpoint,
                                         const config::ConnectionTarget& target, SocketUse use) {
  peer_ = endpoint.text;
  socket_ = make_socket(endpoint, target, use);
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  if (::connect(socket_, address, endpoint.size) != 0) {
    // A Unix-domain socket says EAGAIN when the server's backlog is full: a failure, as for libpq.
    if (errno != EINPROGRESS && errno != EINTR) fail(reason(errno));
    co_await wait(asio::posix::descriptor_base::wait_write);
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) fail(reason(error));
  }
  if (endpoint.is_unix() && !target.require_peer.empty()) {
    check_peer_user(socket_, endpoint.text, target.require_peer);
  }
}

asio::awaitable<void> Transport::wait_for_thread(int descriptor, std::string_view slow) {
  if (closed()) fail(failure_);
  const auto self = shared_from_this();
  const int own = ::dup(descriptor);  // Asio closes what it is given
  if (own < 0) fail(reason(errno));
  thread_done_.assign(own);
  boost::system::error_code error;
  co_await thread_done_.async_wait(asio::posix::descriptor_base::wait_read,
                                   asio::redirect_error(asio::use_awaitable, error));
  if (timed_out_) (failure_ += "; ") += slow;
  if (closed()) fail(failure_);
  thread_done_.close();
  if (error) fail(error.message());
}

asio::awaitable<void> Transport::wait_for(const SecureSession& session, Wants wants) {
  if (wants == Wants::to_be_told) {
    co_await wait_for_thread(session.wakes_at(), slow_kerberos);
  } else {
    co_await wait(wants == Wants::to_read ? asio::posix::descriptor_base::wait_read
                                          : asio::posix::descriptor_base::wait_write);
  }
}

asio::awaitable<void> Transport::secure(const MakeSession& make_session) {
  char extra = 0;
  if (unsent_bytes() > 0 || ::recv(socket_, &extra, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
    fail("received unencrypted bytes where encryption must begin: possible man in the middle");
  }
  try {
    auto session = make_session(socket_);
    for (;;) {
      const Wants wants = session->handshake();
      if (wants == Wants::nothing) break;
      co_await wait_for(*session, wants);
    }
    session_ = std::move(session);
  } catch (const ConnectionError&) {
    throw;
  } catch (const std::runtime_error& error) {
    if (failure_.empty()) failure_ = error.what();
    throw HandshakeError(peer_ + ": " + failure_);
  }
}

std::optional<std::string> Transport::certificate_hash() const {
  return session_ ? session_->certificate_hash() : std::nullopt;
}

std::size_t Transport::try_read(char* into, std::size_t size) {
  if (closed()) fail(failure_);
  read_wait_ = asio::posix::descriptor_base::wait_read;
  if (session_) {
    SecureSession::Outcome outcome;
    try {
      outcome = session_->read(into, size);
    } catch (const std::runtime_error& error) {
      fail(error.what());
    }
    if (outcome.bytes > 0) return outcome.bytes;
    if (outcome.ended) fail_at_end();
    if (outcome.wants == Wants::to_write) read_wait_ = asio::posix::descriptor_base::wait_write;
  } else {
    const auto count = ::recv(socket_, into, size, 0);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) fail_at_end();
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) fail(reason(errno));
  }
  // Only now: what the server said before it went away explains more than the failed write.
  if (!write_failure_.empty()) fail(write_failure_);
  return 0;
}

asio::awaitable<void> Transport::wait_readable() { co_await wait(read_wait_); }

asio::awaitable<char> Transport::read_byte() {
  char byte = 0;
  while (try_read(&byte, 1) == 0) co_await wait_readable();
  co_return byte;
}

asio::awaitable<bool> Transport::read_end() {
  for (;;) {
    std::size_t count = 0;
    char byte = 0;
    try {
      count = try_read(&byte, 1);
    } catch (const ConnectionError&) {
      if (!write_failure_.empty()) fail("not all was sent: " + write_failure_);
      if (!ended_by_peer_ || unsent_bytes() > 0) throw;
    }
    if (ended_by_peer_) co_return true;
    if (count > 0) co_return false;
    co_await wait_readable();
  }
}

asio::awaitable<void> Transport::wait_readable_or_sent(std::size_t unsent) {
  if (closed()) fail(failure_);
  if (unsent_bytes() <= unsent) co_return;
  const auto self = shared_from_this();
  const auto reading = std::make_shared<asio::cancellation_signal>();
  auto registration = std::make_shared<Registration>(*this);
  auto wake = [self, reading, registration = std::move(registration)](
                  const boost::system::error_code& error) mutable {
    registration.reset();
    if (error != asio::error::operation_aborted) self->wake_.cancel();
  };
  waiter_.async_wait(read_wait_, asio::bind_cancellation_slot(reading->slot(), std::move(wake)));
  unsent_wanted_ = unsent;
  wake_.expires_at(asio::steady_timer::time_point::max());
  boost::system::error_code woken;
  co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  unsent_wanted_.reset();
  reading->emit(asio::cancellation_type::total);
  if (closed()) fail(failure_);
}

void Transport::send(std::string_view bytes) {
  if (closed() || !write_failure_.empty()) return;  // read_some() tells
  // What was sent goes when that costs less than it frees: a stream that never rests would grow.
  if (sent_ > outgoing_.size() / 2) {
    outgoing_.erase(0, sent_);
    sent_ = 0;
  }
  outgoing_ += bytes;
  if (!writing_) write_outgoing();
}

std::size_t Transport::write_some() {
  const char* from = outgoing_.data() + sent_;
  write_wait_ = asio::posix::descriptor_base::wait_write;
  if (session_) {
    const SecureSession::Outcome outcome = session_->write(from, unsent_bytes());
    if (outcome.wants == Wants::to_read) write_wait_ = asio::posix::descriptor_base::wait_read;
    return outcome.bytes;
  }
  const auto count = ::send(socket_, from, unsent_bytes(), MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  throw std::runtime_error(reason(errno));
}

void Transport::write_outgoing() {
  try {
    while (unsent_bytes() > 0) {
      const std::size_t count = write_some();
      if (count == 0) {
        wait_and_write();
        return;
      }
      sent_ += count;
    }
  } catch (const std::runtime_error& error) {
    write_failure_ = error.what();
  }
  outgoing_.clear();
  if (outgoing_.capacity() > kept_bytes) outgoing_.shrink_to_fit();
  sent_ = 0;
}

void Transport::wait_and_write() {
  writing_ = true;
  auto registration = std::make_shared<Registration>(*this);
  waiter_.async_wait(write_wait_,
                     [self = shared_from_this(), registration = std::move(registration)](
                         const boost::system::error_code& error) mutable {
                       registration.reset();
                       self->writing_ = false;
                       if (self->closed()) return;
                       if (error) self->write_failure_ = error.message();
                       if (self->write_failure_.empty()) self->write_outgoing();
                       const auto wanted = self->unsent_wanted_;
                       if (wanted && self->unsent_bytes() <= *wanted) self->wake_.cancel();
                     });
}

void Transport::set_deadline(std::chrono::milliseconds after, std::string why) {
  const int number = ++deadline_number_;
  deadline_.expires_after(after);
  deadline_.async_wait([self = weak_from_this(), number,
                        why = std::move(why)](const boost::system::error_code& error) {
    const auto transport = self.lock();
    if (error || !transport || transport->deadline_number_ != number) return;
    transport->timed_out_ = true;
    transport->close(why);
  });
}

void Transport::limit_connect(std::chrono::milliseconds timeout, std::string_view missing) {
  if (timeout.count() <= 0) return;
  set_deadline(timeout, std::string(missing) + " within " + std::to_string(timeout.count()) +
                            " ms (connect_timeout)");
}

void Transport::clear_deadline() {
  ++deadline_number_;  // an expiry may be queued already
  deadline_.cancel();
}

void Transport::close(std::string why) {
  if (closed()) return;
  if (failure_.empty()) failure_ = std::move(why);
  if (session_) session_->shutdown();
  deadline_.cancel();
  wake_.cancel();
  if (waiter_.is_open()) waiter_.release();  // ends the waits
  boost::system::error_code ignored;
  if (thread_done_.is_open()) thread_done_.close(ignored);
  ::close(socket_);
  socket_ = -1;
}

void Transport::fail_at_end() {
  ended_by_peer_ = true;
  fail("the server closed the connection unexpectedly");
}

void Transport::fail(const std::string& why) {
  if (failure_.empty()) failure_ = why.empty() ? "not connected" : why;
  throw ConnectionError(peer_ + ": " + failure_);
}

}  // namespace pgcourier::replication
