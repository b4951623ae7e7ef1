// GSSAPI encryption, §55.2.11: one session over a socket.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replication/gss_initiation.hpp"
#include "replication/secure_session.hpp"

namespace pgcourier::replication {

class GssSession : public SecureSession {
 public:
  // `initiation`: without a step yet.
  GssSession(std::shared_ptr<GssInitiation> initiation, int socket);

  Encryption kind() const override { return Encryption::gss; }
  Wants handshake() override;
  int wakes_at() const override { return initiation_->done_at(); }
  Outcome read(char* into, std::size_t size) override;
  Outcome write(const char* from, std::size_t size) override;

 private:
  enum class Received { something, nothing, end };

  std::string_view unread() const;
  void consume_packet(std::string_view packet);
  Received receive();
  bool flush();
  std::size_t take_plain(char* into, std::size_t size);
  void read_into(Outcome& outcome, char* into, std::size_t size);

  std::shared_ptr<GssInitiation> initiation_;
  int socket_;
  bool stepping_ = true;
  bool complete_ = false;
  std::size_t max_plain_bytes_ = 0;

  std::vector<char> received_;  // as long as the longest packet, which so fits
  std::size_t unread_from_ = 0;
  std::size_t unread_to_ = 0;
  std::exception_ptr read_error_;  // of a packet behind those that read() gave away
  GssBuffer plain_;                // the packet that read() gives away …
  std::size_t plain_taken_ = 0;

  std::string outgoing_;            // one packet …
  std::size_t sent_ = 0;            // … of which this much is sent …
  std::size_t outgoing_plain_ = 0;  // … and which holds this many bytes of write()
};

}  // namespace pgcourier::replication
