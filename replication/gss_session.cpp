#include "replication/gss_session.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "protocol/gss_packets.hpp"

namespace pgcourier::replication {
namespace {

using protocol::max_gss_packet_bytes;
using protocol::max_gss_token_packet_bytes;

// In one read(), so that tiny packets keep nobody from his turn. A server has no reason for that
// many without a byte in them, though each is legal; OpenSSL gives up after 32 empty records of
// TLS.
constexpr int max_packets_at_once = 1'000;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

[[noreturn]] void fail(const char* what, int error) {
  throw std::runtime_error(std::string(what) + ": " + std::generic_category().message(error));
}

}  // namespace

GssSession::GssSession(std::shared_ptr<GssInitiation> initiation, int socket)
    : initiation_(std::move(initiation)), socket_(socket), received_(max_gss_token_packet_bytes) {
  initiation_->step({});
}

std::string_view GssSession::unread() const {
  return {received_.data() + unread_from_, unread_to_ - unread_from_};
}

void GssSession::consume_packet(std::string_view packet) {
  unread_from_ += protocol::gss_length_bytes + packet.size();
}

GssSession::Received GssSession::receive() {
  if (unread_from_ > 0) {
    std::memmove(received_.data(), received_.data() + unread_from_, unread_to_ - unread_from_);
    unread_to_ -= std::exchange(unread_from_, 0);
  }
  const auto count =
      ::recv(socket_, received_.data() + unread_to_, received_.size() - unread_to_, 0);
  if (count == 0) return Received::end;
  if (count < 0) {
    if (would_block(errno)) return Received::nothing;
    fail("GSSAPI read failed", errno);
  }
  unread_to_ += static_cast<std::size_t>(count);
  return Received::something;
}

// Whether all of the packet is sent.
bool GssSession::flush() {
  while (sent_ < outgoing_.size()) {
    const auto count =
        ::send(socket_, outgoing_.data() + sent_, outgoing_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0) {
      if (would_block(errno)) return false;
      fail("GSSAPI write failed", errno);
    }
    sent_ += static_cast<std::size_t>(count);
  }
  outgoing_.clear();
  sent_ = 0;
  return true;
}

Wants GssSession::handshake() {
  for (;;) {
    if (stepping_) {
      if (!initiation_->done()) return Wants::to_be_told;
      stepping_ = false;
      const GssContext::Step step = initiation_->take();
      complete_ = step.complete;
      if (step.token.size() > max_gss_token_packet_bytes - protocol::gss_length_bytes) {
        throw GssError("GSSAPI encryption failed: a token of " + std::to_string(step.token.size()) +
                       " bytes is longer than a server takes");
      }
      if (!step.token.empty()) {
        protocol::append_gss_packet(outgoing_, step.token, max_gss_token_packet_bytes);
      }
    }
    if (!flush()) return Wants::to_write;
    if (complete_) break;
    if (const auto token = protocol::frame_gss_packet(unread(), max_gss_token_packet_bytes)) {
      initiation_->step(std::string(*token));
      stepping_ = true;
      consume_packet(*token);
      continue;
    }
    const Received received = receive();
    if (received == Received::nothing) return Wants::to_read;
    if (received == Received::end) {
      throw std::runtime_error(
          "GSSAPI encryption failed: the server closed the connection (does it have the key of "
          "its principal, krb_server_keyfile?)");
    }
  }
  max_plain_bytes_ =
      initiation_->context().max_plain_bytes(max_gss_packet_bytes - protocol::gss_length_bytes);
  return Wants::nothing;
}

std::size_t GssSession::take_plain(char* into, std::size_t size) {
  const std::string_view left = plain_.view().substr(plain_taken_, size);
  std::copy(left.begin(), left.end(), into);
  plain_taken_ += left.size();
  return left.size();
}

SecureSession::Outcome GssSession::read(char* into, std::size_t size) {
  if (read_error_) std::rethrow_exception(read_error_);
  Outcome outcome;
  try {
    read_into(outcome, into, size);
  } catch (const std::runtime_error&) {
    if (outcome.bytes == 0) throw;
    read_error_ = std::current_exception();
  }
  return outcome;
}

void GssSession::read_into(Outcome& outcome, char* into, std::size_t size) {
  int packets = 0;
  while (outcome.bytes < size) {
    if (plain_taken_ < plain_.view().size()) {
      outcome.bytes += take_plain(into + outcome.bytes, size - outcome.bytes);
      continue;
    }
    if (const auto packet = protocol::frame_gss_packet(unread(), max_gss_packet_bytes)) {
      if (++packets > max_packets_at_once) {
        if (outcome.bytes == 0) throw std::runtime_error("GSSAPI: nothing but empty packets");
        break;
      }
      plain_ = initiation_->context().unwrap(*packet);
      plain_taken_ = 0;
      consume_packet(*packet);
      continue;
    }
    const Received received = receive();
    if (received == Received::something) continue;
    if (outcome.bytes > 0) break;  // the next read meets the end again
    outcome.ended = received == Received::end;
    if (!outcome.ended) outcome.wants = Wants::to_read;
    break;
  }
}

SecureSession::Outcome GssSession::write(const char* from, std::size_t size) {
  if (outgoing_.empty()) {
    outgoing_plain_ = std::min(size, max_plain_bytes_);
    const GssBuffer wrapped = initiation_->context().wrap({from, outgoing_plain_});
    protocol::append_gss_packet(outgoing_, wrapped.view(), max_gss_packet_bytes);
  }
  Outcome outcome;
  if (flush()) {
    outcome.bytes = outgoing_plain_;
  } else {
    outcome.wants = Wants::to_write;
  }
  return outcome;
}

}  // namespace pgcourier::replication
