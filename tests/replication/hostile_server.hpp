// A server that plays a good dialogue and goes wrong at one point of it.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/replication/hostile_tls.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication::test {

// What an honest server says next: `reads` messages of the client come before it, the first one of
// a connection without a type; or its end of TLS. `says` is given all that were read so far.
// Nothing is kept in a turn: the same one is played on several connections at once.
struct Turn {
  enum class Reads { nothing, untyped, message, tls } reads = Reads::message;
  using Heard = std::vector<std::string>;
  std::function<std::string(const Heard& heard)> says;
};

inline Turn start(const std::string& says) {
  return {Turn::Reads::untyped, [says](const Turn::Heard&) { return says; }};
}
inline Turn answer(const std::string& says) {
  return {Turn::Reads::message, [says](const Turn::Heard&) { return says; }};
}
inline Turn start_tls() {
  return {Turn::Reads::tls, [](const Turn::Heard&) { return std::string(); }};
}

enum class End { close, reset, stall };

// Where and how the server goes wrong. Units, messages or the records of TLS that carry them, are
// counted from the first that it sends.
struct Sabotage {
  std::string name;
  enum class Of { messages, records } of = Of::messages;
  // What goes out instead of a unit.
  std::function<std::string(std::size_t number, const std::string& unit)> change;
  std::vector<std::string> replayed;  // the messages of another honest server that do
  // After so many bytes of this unit …
  std::size_t cut_unit = std::string::npos;
  std::size_t cut_after = 0;
  // … this; and at the end of the dialogue.
  End end = End::close;
  bool drip = false;  // a byte at a time, slower than the client waits
};

// What went out, as far as a client can have understood it: nothing that follows the first spoiled
// record of TLS.
struct Said {
  std::string bytes;
  std::size_t tls_at = std::string::npos;  // began after so many of them
  // Each message as an honest server sends it: this one, …
  std::set<std::string> meant;
  std::set<std::string> replayed;  // … or another one
};

// One answer to SSLRequest is one byte; all else is framed.
inline std::vector<std::string> split_messages(const std::string& bytes) {
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t size = 1;
    if (bytes.size() - at >= 5) {
      size = 1 + boost::endian::endian_load<std::uint32_t, 4, boost::endian::order::big>(
                     reinterpret_cast<const unsigned char*>(bytes.data() + at + 1));
    }
    messages.push_back(bytes.substr(at, size));
    at += size;
  }
  return messages;
}

// Plays one connection. `said` is complete when the server has ended.
class HostileScript {
 public:
  HostileScript(std::vector<Turn> turns, Sabotage sabotage, std::shared_ptr<Said> said)
      : turns_(std::move(turns)), sabotage_(std::move(sabotage)), said_(std::move(said)) {
    said_->replayed.insert(sabotage_.replayed.begin(), sabotage_.replayed.end());
  }

  void operator()(Peer& peer) {
    std::unique_ptr<TlsPeer> tls;
    try {
      Turn::Heard heard;
      for (const Turn& turn : turns_) {
        Peer& wire = tls ? *tls : peer;
        if (turn.reads == Turn::Reads::untyped) heard.push_back(wire.read_untyped());
        // Once it went wrong it does not wait for what may not come.
        if (turn.reads == Turn::Reads::message && !spoiled_) heard.push_back(wire.read_message());
        if (turn.reads == Turn::Reads::tls) {
          tls = std::make_unique<TlsPeer>(
              peer, [this, &peer](const std::string& record) { pass_record(record, peer); });
          if (!tls->accept()) break;
          if (!torn_) said_->tls_at = said_->bytes.size();
        }
        for (const std::string& good : split_messages(turn.says(heard))) pass(good, wire);
      }
    } catch (const Over&) {  // by the sabotage
    }
    if (sabotage_.end == End::reset) peer.reset_at_close();
    if (sabotage_.end == End::stall) static_cast<void>(peer.wait_end(std::chrono::seconds(5)));
  }

 private:
  struct Over {};

  void pass(const std::string& good, Peer& wire) {
    said_->meant.insert(good);
    std::string message = good;
    if (sabotage_.of == Sabotage::Of::messages) message = spoil(good);
    send(message, wire);
    if (!torn_) said_->bytes += message;
    if (over_) throw Over();
  }
  void pass_record(const std::string& good, Peer& wire) {
    std::string record = good;
    if (sabotage_.of == Sabotage::Of::records) record = spoil(good);
    torn_ = torn_next_;
    if (!same_record(record, good)) {
      torn_next_ = true;
      torn_ = torn_ || !record.starts_with(good);
    }
    wire.Peer::send(record);
    if (over_) throw Over();
  }
  std::string spoil(const std::string& good) {
    const std::size_t number = number_++;
    std::string instead = sabotage_.change ? sabotage_.change(number, good) : good;
    if (number == sabotage_.cut_unit) {
      instead.resize(std::min(sabotage_.cut_after, instead.size()));
      over_ = true;
    }
    spoiled_ = spoiled_ || instead != good;
    return instead;
  }
  void send(const std::string& bytes, Peer& wire) const {
    if (!sabotage_.drip) return wire.send(bytes);
    for (const char byte : bytes) {
      wire.send({byte});
      if (wire.wait_end(std::chrono::milliseconds(10))) throw Over();
    }
  }

  std::vector<Turn> turns_;
  Sabotage sabotage_;
  std::shared_ptr<Said> said_;
  std::size_t number_ = 0;
  bool spoiled_ = false;
  bool torn_ = false;       // no record counts any more …
  bool torn_next_ = false;  // … from the next one on
  bool over_ = false;
};

}  // namespace pgcourier::replication::test
