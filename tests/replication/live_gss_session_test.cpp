// GSSAPI encryption with a server that is not PostgreSQL: it knows the key, and misbehaves.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gssapi/gssapi.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <thread>

#include "replication/gss_session.hpp"
#include "tests/replication/live_gss_support.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using test::big_endian;
using test::Peer;
using test::ScriptedServer;
using test::Session;
using testing::HasSubstr;

std::string packet(const std::string& wrapped) {
  return big_endian(static_cast<std::uint32_t>(wrapped.size())) + wrapped;
}

// The server's end of a context.
class Acceptor {
 public:
  explicit Acceptor(Peer& peer) : peer_(peer) {
    std::string token = read_packet();
    gss_buffer_desc input{token.size(), token.data()};
    gss_buffer_desc output{};
    OM_uint32 minor = 0;
    gss_accept_sec_context(&minor, &context_, GSS_C_NO_CREDENTIAL, &input,
                           GSS_C_NO_CHANNEL_BINDINGS, nullptr, nullptr, &output, nullptr, nullptr,
                           nullptr);
    peer_.send(packet(taken(output)));
  }
  ~Acceptor() {
    OM_uint32 minor = 0;
    gss_delete_sec_context(&minor, &context_, GSS_C_NO_BUFFER);
  }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  std::string read_packet() {
    std::uint32_t size = 0;
    for (const char byte : peer_.read(4)) size = size << 8 | static_cast<unsigned char>(byte);
    return peer_.read(size);
  }
  std::string wrap(std::string text, bool confidential = true) {
    gss_buffer_desc input{text.size(), text.data()};
    gss_buffer_desc output{};
    OM_uint32 minor = 0;
    gss_wrap(&minor, context_, confidential ? 1 : 0, GSS_C_QOP_DEFAULT, &input, nullptr, &output);
    return taken(output);
  }
  std::string unwrap(std::string wrapped) {
    gss_buffer_desc input{wrapped.size(), wrapped.data()};
    gss_buffer_desc output{};
    OM_uint32 minor = 0;
    gss_unwrap(&minor, context_, &input, &output, nullptr, nullptr);
    return taken(output);
  }

 private:
  static std::string taken(gss_buffer_desc& buffer) {
    const std::string text(static_cast<const char*>(buffer.value), buffer.length);
    OM_uint32 minor = 0;
    gss_release_buffer(&minor, &buffer);
    return text;
  }

  Peer& peer_;
  gss_ctx_id_t context_ = GSS_C_NO_CONTEXT;
};

class LiveGssSession : public test::LiveRealmTest {
 protected:
  void SetUp() override {
    LiveRealmTest::SetUp();
    if (IsSkipped()) return;
    ::setenv("KRB5_KTNAME", file("server.keytab").c_str(), 1);
    ::setenv("KRB5RCACHENAME", "none:", 1);
  }

  // What a client reads of a server that acts so once the two know each other, or why not.
  static std::string heard(const std::function<void(Acceptor&, Peer&)>& act) {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) != 0) return "no sockets";
    ::fcntl(sockets[0], F_SETFL, O_NONBLOCK);
    std::thread server([&] {
      Peer peer(sockets[1]);
      Acceptor acceptor(peer);
      act(acceptor, peer);
    });
    std::string text;
    try {
      text = read_all(sockets[0]);
    } catch (const std::exception& error) {
      text = error.what();
    }
    ::close(sockets[0]);
    server.join();
    return text;
  }

 private:
  static void wait(int descriptor, short events) {
    pollfd waiting{.fd = descriptor, .events = events, .revents = 0};
    if (::poll(&waiting, 1, 5000) != 1) throw std::runtime_error("nothing comes");
  }
  static std::string read_all(int socket) {
    const auto target = gss_target(config::GssEncMode::require);
    GssSession session(
        std::make_shared<GssInitiation>(target, target.hosts[0], GssPurpose::encryption), socket);
    for (;;) {
      const Wants wants = session.handshake();
      if (wants == Wants::nothing) break;
      wait(wants == Wants::to_be_told ? session.wakes_at() : socket,
           wants == Wants::to_write ? POLLOUT : POLLIN);
    }
    session.write("hello", 5);
    std::string text;
    std::array<char, 7> piece{};  // less than a packet
    for (;;) {
      const auto outcome = session.read(piece.data(), piece.size());
      text.append(piece.data(), outcome.bytes);
      if (outcome.ended) return text;
      if (outcome.wants == Wants::to_read) wait(socket, POLLIN);
    }
  }
};

TEST_F(LiveGssSession, TakesEmptyPacketsWithinReason) {
  const auto many = [](int count, const std::string& text) {
    return [=](Acceptor& acceptor, Peer& peer) {
      acceptor.unwrap(acceptor.read_packet());
      std::string packets;
      for (int i = 0; i < count; ++i) packets += packet(acceptor.wrap(text));
      peer.send(packets + packet(acceptor.wrap("end")));
    };
  };
  EXPECT_EQ(heard(many(500, "")), "end");
  EXPECT_EQ(heard(many(3'000, "x")), std::string(3'000, 'x') + "end");
  EXPECT_THAT(heard(many(50'000, "")), HasSubstr("nothing but empty packets"));
}

TEST_F(LiveGssSession, CarriesBytesBothWays) {
  std::string received;
  EXPECT_EQ(heard([&](Acceptor& acceptor, Peer& peer) {
              received = acceptor.unwrap(acceptor.read_packet());
              std::string whole;
              for (const char* text : {"0123456789", "", "abc"}) {
                whole += packet(acceptor.wrap(text));
              }
              for (const char byte : whole) peer.send(std::string(1, byte));
            }),
            "0123456789abc");
  EXPECT_EQ(received, "hello");
}

TEST_F(LiveGssSession, InsistsOnConfidentiality) {
  EXPECT_EQ(heard([](Acceptor& acceptor, Peer& peer) {
              peer.send(packet(acceptor.wrap("for everybody", false)));
              acceptor.read_packet();
            }),
            "GSSAPI decryption failed: the packet was not encrypted");
}

TEST_F(LiveGssSession, RefusesPacketsThatWereTamperedWith) {
  EXPECT_THAT(heard([](Acceptor& acceptor, Peer& peer) {
                std::string wrapped = acceptor.wrap("secret");
                wrapped.back() = static_cast<char>(wrapped.back() ^ 1);
                peer.send(packet(wrapped));
                acceptor.read_packet();
              }),
              HasSubstr("GSSAPI decryption failed"));
}

TEST_F(LiveGssSession, RefusesPacketsThatComeAgainLateOrAfterALoss) {
  const std::vector<std::vector<std::size_t>> orders = {{0, 0}, {0, 2}, {1, 0}, {0, 1, 0}};
  for (const auto& order : orders) {
    EXPECT_THAT(heard([&](Acceptor& acceptor, Peer& peer) {
                  const std::vector<std::string> packets = {packet(acceptor.wrap("first")),
                                                            packet(acceptor.wrap("second")),
                                                            packet(acceptor.wrap("third"))};
                  for (const std::size_t number : order) peer.send(packets[number]);
                  acceptor.read_packet();
                }),
                HasSubstr("GSSAPI decryption failed"));
  }
}

TEST_F(LiveGssSession, RefusesAPacketByItsLength) {
  for (const std::uint32_t length : {16381U, 0x7fffffffU, 0xffffffffU}) {
    EXPECT_THAT(heard([&](Acceptor& acceptor, Peer& peer) {
                  peer.send(big_endian(length));
                  acceptor.read_packet();
                }),
                HasSubstr("more than the limit of 16380"));
  }
}

// What Connection::open() says of a server that answers GSSENCRequest like this.
std::string opened(config::ConnectionTarget target, const ScriptedServer::Script& script) {
  ScriptedServer server({script});
  target.hosts[0].port = server.port();
  try {
    Session session(target);
    return "opened";
  } catch (const ConnectionError& error) {
    return error.what();
  }
}

TEST_F(LiveGssSession, RefusesBytesThatCameInClearWithTheAnswer) {
  EXPECT_THAT(opened(gss_target(config::GssEncMode::require),
                     [](Peer& peer) {
                       EXPECT_EQ(peer.read_untyped(), big_endian(1234 << 16 | 5680));
                       peer.send("G" + test::welcome());
                       peer.read(1);
                     }),
              HasSubstr("unencrypted bytes"));
}

TEST_F(LiveGssSession, RefusesTokensThatAreNone) {
  const std::pair<std::string, const char*> answers[] = {
      {big_endian(0xffffffff), "more than the limit of 65532"},
      {"E" + std::string(20, 'x'), "more than the limit of 65532"},
      {packet("nonsense"), "GSSAPI with postgres@localhost failed"},
      {"", "does it have the key of its principal"},
  };
  for (const auto& [answer, reason] : answers) {
    EXPECT_THAT(opened(gss_target(config::GssEncMode::require),
                       [&](Peer& peer) {
                         peer.read_untyped();
                         peer.send("G");
                         const std::string length = peer.read(4);
                         peer.read(static_cast<unsigned char>(length[2]) * 256U +
                                   static_cast<unsigned char>(length[3]));
                         peer.send(answer);
                         if (!answer.empty()) peer.read(1);
                       }),
                HasSubstr(reason));
  }
}

TEST_F(LiveGssSession, GoesOnWithoutWhereTheServerFailsAtIt) {
  ScriptedServer server({[](Peer& peer) {
                           peer.read_untyped();
                           peer.send("G");
                           peer.read(4);
                         },
                         [](Peer& peer) { peer.accept_session(); }});
  auto target = gss_target(config::GssEncMode::prefer);
  target.hosts[0].port = server.port();
  Session session(target);
  EXPECT_EQ(session.connection.encryption(), Encryption::none);
}

// As something between us does that doesn't know the request.
TEST_F(LiveGssSession, AsksForTlsWhereTheRequestIsNotUnderstood) {
  for (const std::string answer : {"", "E"}) {
    std::string request;
    ScriptedServer server({[&](Peer& peer) {
                             peer.read_untyped();
                             peer.send(answer);
                           },
                           [&](Peer& peer) {
                             request = peer.read_untyped();
                             peer.send("N");
                             peer.accept_session();
                           }});
    auto target = gss_target(config::GssEncMode::prefer);
    target.ssl_mode = config::SslMode::prefer;
    target.hosts[0].port = server.port();
    Session session(target);
    EXPECT_EQ(request, test::big_endian(1234 << 16 | 5679));
  }
}

}  // namespace
}  // namespace pgcourier::replication
