// Bytes to and from one address: TCP or a Unix-domain socket, encrypted or not.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "replication/asio.hpp"
#include "replication/endpoint.hpp"
#include "replication/secure_session.hpp"

namespace pgcourier::replication {

constexpr std::string_view slow_kerberos = "Kerberos (the KDC) does not answer";

// Owned by one Connection and used from its io thread only; shared with its own pending waits, so
// it may be dropped at any time. Every failure is a ConnectionError that names the peer; the first
// one is kept and thrown again.
//
// The socket is in Asio's epoll set only while somebody waits for it: a registered socket wakes the
// thread for each arriving segment, even if nobody asked.
class Transport : public std::enable_shared_from_this<Transport> {
 public:
  explicit Transport(asio::io_context& io);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // protocol::AuthenticationError if the server behind a Unix-domain socket is not requirepeer's.
  asio::awaitable<void> connect(const Endpoint& endpoint, const config::ConnectionTarget& target,
                                SocketUse use);

  // After the server's 'S' or 'G', or at once for direct TLS: all that follows goes through the
  // session. Refuses if bytes are there already: they were sent in clear by somebody who expects us
  // to take them for the server's (CVE-2021-23222). HandshakeError if it can't be started.
  asio::awaitable<void> secure(const MakeSession& make_session);
  Encryption encryption() const { return session_ ? session_->kind() : Encryption::none; }
  std::optional<std::string> certificate_hash() const;
  bool sent_certificate() const { return session_ && session_->sent_certificate(); }

  // Until `descriptor` is readable, which another thread sees to. close() ends it, too. `slow`:
  // what a deadline is told to be the fault of; it must live as long as the wait.
  asio::awaitable<void> wait_for_thread(int descriptor, std::string_view slow);

  // Takes what has arrived, without waiting. 0: nothing now.
  std::size_t try_read(char* into, std::size_t size);
  // Until try_read() may have something. Only one caller at a time.
  asio::awaitable<void> wait_readable();
  // The same, or until no more than `unsent` bytes wait to be sent.
  asio::awaitable<void> wait_readable_or_sent(std::size_t unsent);
  // Waits for the one byte that answers SSLRequest and the like, and takes not one byte more.
  asio::awaitable<char> read_byte();

  // Waits for the server's end of the connection, with all sent that was to be sent; false: it said
  // something instead.
  asio::awaitable<bool> read_end();

  // Sends after what was sent before; what the socket does not take at once goes out while the io
  // context runs. A failure is thrown by the next try_read() that finds nothing.
  void send(std::string_view bytes);
  std::size_t unsent_bytes() const { return outgoing_.size() - sent_; }
  const std::string& send_failure() const { return write_failure_; }

  // Ends the connection with this reason unless disarmed before.
  void set_deadline(std::chrono::milliseconds after, std::string reason);
  // The same for connect_timeout; 0: never. `missing`: what there is not by then.
  void limit_connect(std::chrono::milliseconds timeout, std::string_view missing);
  void clear_deadline();
  bool timed_out() const { return timed_out_; }

  // Closes at once; whoever waits gets a ConnectionError with this reason.
  void close(std::string reason);
  bool closed() const { return socket_ < 0; }

  const std::string& peer() const { return peer_; }

 private:
  class Registration;
  asio::awaitable<void> wait(asio::posix::descriptor_base::wait_type what);
  void enter_epoll();
  void leave_epoll();
  void write_outgoing();
  std::size_t write_some();
  void wait_and_write();
  asio::awaitable<void> wait_for(const SecureSession& session, Wants wants);
  [[noreturn]] void fail_at_end();
  [[noreturn]] void fail(const std::string& reason);

  asio::posix::stream_descriptor waiter_;  // holds the socket while somebody waits
  asio::steady_timer deadline_;
  asio::steady_timer wake_;                   // never expires; ends wait_readable_or_sent() …
  std::optional<std::size_t> unsent_wanted_;  // … when no more than this is left to be sent
  int deadline_number_ = 0;
  bool timed_out_ = false;
  int socket_ = -1;
  int waits_ = 0;
  asio::posix::stream_descriptor thread_done_;  // of wait_for_thread()
  std::unique_ptr<SecureSession> session_;
  asio::posix::descriptor_base::wait_type read_wait_ = asio::posix::descriptor_base::wait_read;
  asio::posix::descriptor_base::wait_type write_wait_ = asio::posix::descriptor_base::wait_write;
  std::string outgoing_;
  std::size_t sent_ = 0;  // of outgoing_
  bool writing_ = false;  // a wait of wait_and_write() is pending
  bool ended_by_peer_ = false;
  std::string write_failure_;
  std::string failure_;
  std::string peer_;
};

}  // namespace pgcourier::replication
