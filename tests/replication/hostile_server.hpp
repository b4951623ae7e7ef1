// A server that plays a good dialogue and goes wrong at one point of it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication::test {

// What an honest server says next: `reads` messages of the client come before it, the first one of
// a connection without a type. `says` is given the last of them.
struct Turn {
  enum class Reads { nothing, untyped, message } reads = Reads::message;
  std::function<std::string(const std::string& heard)> says;
};

enum class End { close, reset, stall };

// Where and how the server goes wrong. Messages and bytes are counted from the first that it sends.
struct Sabotage {
  std::string name;
  // What goes out instead of a message.
  std::function<std::string(std::size_t number, const std::string& message)> change;
  // After this many bytes …
  std::size_t cut_at = std::string::npos;
  // … this; and at the end of the dialogue.
  End end = End::close;
  bool drip = false;  // a byte at a time, slower than the client waits
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

// Plays one connection.
class HostileScript {
 public:
  HostileScript(std::vector<Turn> turns, Sabotage sabotage)
      : turns_(std::move(turns)), sabotage_(std::move(sabotage)) {}

  void operator()(Peer& peer) {
    std::size_t number = 0;
    std::size_t sent = 0;
    std::string heard;
    for (const Turn& turn : turns_) {
      if (turn.reads == Turn::Reads::untyped) heard = peer.read_untyped();
      // Once it went wrong it does not wait for what may not come.
      if (turn.reads == Turn::Reads::message && !changed_) heard = peer.read_message();
      for (const std::string& good : split_messages(turn.says(heard))) {
        const std::string message = sabotage_.change ? sabotage_.change(number, good) : good;
        changed_ = changed_ || message != good;
        ++number;
        const std::size_t room = sabotage_.cut_at - sent;
        play(peer, message.substr(0, room));
        if (message.size() >= room) return finish(peer);
        sent += message.size();
      }
    }
    finish(peer);
  }

 private:
  void play(Peer& peer, const std::string& bytes) const {
    if (!sabotage_.drip) return peer.send(bytes);
    for (const char byte : bytes) {
      peer.send({byte});
      if (peer.wait_end(std::chrono::milliseconds(20))) return;
    }
  }
  void finish(Peer& peer) const {
    if (sabotage_.end == End::reset) peer.reset_at_close();
    if (sabotage_.end == End::stall) static_cast<void>(peer.wait_end(std::chrono::seconds(5)));
  }

  std::vector<Turn> turns_;
  Sabotage sabotage_;
  bool changed_ = false;
};

}  // namespace pgcourier::replication::test
