from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from auditor.collectors.aws._ec2 import group_uses, holds, parts, vpc_uses
from auditor.collectors.aws.ec2_gateways import transit_gateway, vpn
from auditor.collectors.aws.ec2_instances import instance, launch_template, scan_user_data
from auditor.collectors.aws.ec2_network_acls import network_acl
from auditor.collectors.aws.ec2_security_groups import (
    ExposedGroup,
    exposed_group,
    named_prefix_lists,
    prefix_list,
    security_group,
)
from auditor.collectors.aws.ec2_storage import image, region, snapshot, volume
from auditor.domain.document import as_json
from auditor.domain.network import Opening
from auditor.domain.reading import Readings, Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population
from auditor.domain.secrets import PATTERNS_VERSION

DENIED = {"$unseen": "AccessDenied ec2:Something"}
UNSEEN = Unseen("AccessDenied ec2:Something")
EVERYWHERE = [{"CidrIp": "0.0.0.0/0"}]
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


def exposed(*rules: Mapping[str, Any], lists: Mapping[str, Any] | None = None, more: str | None = None) -> ExposedGroup:
    group = security_group.describe({"GroupId": "sg-1", "GroupName": "web", "IpPermissions": list(rules)})
    found = (
        Member(id_, "eu-west-1", prefix_list.describe({"PrefixListId": id_, "entries": entries}))
        for id_, entries in (lists or {}).items()
    )
    populations = {prefix_list.name: Population(tuple(found), more)}
    member = Member("sg-1", "eu-west-1", group)
    document: ExposedGroup = exposed_group.describe(Joined("111122223333", "eu-west-1", member, populations))
    return document


def instance_with(**content: Any) -> Any:
    return instance.describe({"InstanceId": "i-1", "State": {"Name": "running"}, **content})


def template_with(options: Mapping[str, Any], region_default: Any = None) -> Any:
    version = {"VersionNumber": 3, "LaunchTemplateData": {"MetadataOptions": options}}
    content = {"LaunchTemplateName": "web", "default_version": [version], "region_default": region_default}
    return launch_template.describe(content)


def user_data(script: bytes) -> dict[str, Any]:
    return scan_user_data({"UserData": {"Value": base64.b64encode(script).decode()}})


class TestLists:
    def test_one_member_that_was_seen_settles_it(self) -> None:
        assert holds(Seen([{"a": 1}, DENIED]), lambda member: member["a"] == 1) == Seen(value=True)

    def test_a_list_that_fell_short_leaves_it_open(self) -> None:
        assert holds(Seen([{"a": 2}, DENIED]), lambda member: member["a"] == 1) == UNSEEN
        assert holds(UNSEEN) == UNSEEN

    def test_a_complete_list_says_no(self) -> None:
        assert holds(Seen([])) == Seen(value=False)
        assert parts(Seen(None)) == ((), None)

    def test_interfaces_tell_each_use_once(self) -> None:
        page = {"NetworkInterfaces": [{"VpcId": "vpc-1", "Groups": [{"GroupId": "sg-1"}, {"GroupId": "sg-2"}]}] * 3}
        assert [use["GroupId"] for use in group_uses(page)] == ["sg-1", "sg-2"]
        assert list(vpc_uses(page)) == [{"VpcId": "vpc-1", "InterfaceType": None}]


class TestInstance:
    def test_an_address_on_any_interface_is_an_address_of_the_instance(self) -> None:
        interfaces = [{"Association": {"PublicIp": "203.0.113.9"}}, {}]
        seen = instance_with(PublicIpAddress="203.0.113.7", NetworkInterfaces=interfaces)
        assert seen.public_addresses == Seen(("203.0.113.7", "203.0.113.9"))
        assert instance_with(NetworkInterfaces=[{}]).public_addresses == Seen(())

    def test_an_instance_that_no_agent_speaks_for_has_no_ping(self) -> None:
        assert instance_with(managed=[]).ping_status == Seen(None)

    def test_agents_that_may_not_be_listed_are_unseen(self) -> None:
        assert instance_with(managed=DENIED).ping_status == UNSEEN
        assert instance_with(managed=[DENIED]).ping_status == UNSEEN

    def test_it_is_called_by_its_id_and_its_name_tag(self) -> None:
        assert instance_with(Tags=[{"Key": "Name", "Value": "web"}]).name == Seen("i-1 (web)")

    @pytest.mark.parametrize("state", ["terminated", "shutting-down"])
    def test_user_data_of_what_is_gone_is_not_asked_for(self, state: str) -> None:
        ask = instance.details["user_data"].when
        assert ask is not None
        assert not ask(Readings({"State": {"Name": state}}, instance.names))
        assert ask(Readings({"State": {"Name": "stopped"}}, instance.names))

    def test_user_data_that_may_not_be_read_is_unseen(self) -> None:
        assert instance_with(user_data=DENIED).secrets == UNSEEN


class TestUserData:
    def test_only_pattern_and_line_are_kept(self) -> None:
        kept = user_data(b"#!/bin/sh\nexport DB_PASS=hunter2\n")
        assert [(hit["pattern"], hit["place"]) for hit in kept["hits"]] == [("password", "line 2")]
        assert [value["place"] for value in kept["values"]] == ["whole"]
        assert "hunter2" not in str(kept)
        assert instance_with(user_data=kept).secrets == Seen(("password in line 2",))

    def test_a_packed_script_is_unpacked_first(self) -> None:
        packed = [user_data(gzip.compress(b"DB_PASS=hunter2", mtime=at)) for at in (0, 1)]
        assert packed == [user_data(b"DB_PASS=hunter2")] * 2

    def test_no_script_is_a_clean_script(self) -> None:
        answers: tuple[dict[str, Any], ...] = ({"UserData": {}}, {})
        for answer in answers:
            assert scan_user_data(answer) == {"patterns_version": PATTERNS_VERSION, "hits": [], "values": []}

    def test_scripts_that_differ_in_bytes_that_are_no_text_are_told_apart(self) -> None:
        assert user_data(b"\xff")["values"] != user_data(b"\xfe")["values"]

    @pytest.mark.parametrize(
        "script",
        [gzip.compress(b"DB_PASS=hunter2", mtime=0)[:-6], gzip.compress(bytes(5 * 2**20), mtime=0), b"\x1f\x8bno"],
    )
    def test_a_script_that_cannot_be_unpacked_is_unseen(self, script: bytes) -> None:
        kept = user_data(script)
        assert isinstance(instance_with(user_data=kept).secrets, Unseen)


class TestLaunchTemplate:
    def test_the_template_decides(self) -> None:
        assert template_with({"HttpTokens": "required"}).demands_tokens == Seen(value=True)
        required = {"AccountLevel": {"HttpTokens": "required"}}
        assert template_with({"HttpTokens": "optional"}, required).demands_tokens == Seen(value=False)

    def test_a_template_that_says_nothing_takes_the_default_of_its_region(self) -> None:
        assert template_with({}, {"AccountLevel": {"HttpTokens": "required"}}).demands_tokens == Seen(value=True)
        assert template_with({}, {}).demands_tokens == Seen(value=False)

    def test_a_default_that_was_not_read_excuses_no_template(self) -> None:
        seen = template_with({}, DENIED)
        assert (seen.demands_tokens, seen.region_http_tokens) == (Seen(value=False), UNSEEN)

    def test_a_version_that_was_not_read_is_unseen(self) -> None:
        seen = launch_template.describe({"LaunchTemplateName": "web", "default_version": DENIED})
        assert seen.demands_tokens == UNSEEN


class TestStorage:
    def test_each_switch_of_a_region_is_read_apart(self) -> None:
        seen = region.describe({"ebs_encryption": {"EbsEncryptionByDefault": True}, "snapshot_block": DENIED})
        assert (seen.encrypts_new_volumes, seen.snapshot_sharing) == (Seen(value=True), UNSEEN)

    def test_a_snapshot_for_everybody_is_public(self) -> None:
        seen = snapshot.describe(
            {"SnapshotId": "snap-1", "permissions": [{"UserId": "444455556666"}, {"Group": "all"}]}
        )
        assert (seen.public, seen.shared_with) == (Seen(value=True), Seen(("444455556666",)))

    def test_permissions_that_may_not_be_read_are_unseen(self) -> None:
        seen = snapshot.describe({"SnapshotId": "snap-1", "permissions": DENIED})
        assert (seen.public, seen.shared_with) == (UNSEEN, UNSEEN)

    def test_a_volume_tells_its_tags(self) -> None:
        seen = volume.describe({"VolumeId": "vol-1", "Encrypted": False, "Tags": [{"Key": "a", "Value": "b"}]})
        assert (seen.encrypted, seen.tags) == (Seen(value=False), Seen({"a": "b"}))

    def test_an_image_is_called_by_id_and_name(self) -> None:
        assert image.describe({"ImageId": "ami-1", "Name": "base", "Public": True}).name == Seen("ami-1 (base)")


class TestSecurityGroup:
    def test_rules_of_the_default_group_are_counted(self) -> None:
        rules = {"IpPermissions": [{"IpProtocol": "-1"}], "IpPermissionsEgress": []}
        seen = security_group.describe({"GroupId": "sg-1", "GroupName": "default", **rules, "interfaces": []})
        assert seen.is_default == Seen(value=True)
        assert (seen.ingress_rules, seen.egress_rules) == (Seen(1), Seen(0))

    @pytest.mark.parametrize(
        ("interfaces", "idle"),
        [([], True), ([{"InterfaceType": "interface"}], False), (DENIED, False), ([DENIED], False)],
    )
    def test_a_group_counts_as_in_use_unless_its_interfaces_were_listed_and_there_is_none(
        self, interfaces: Any, *, idle: bool
    ) -> None:
        content = {"GroupId": "sg-1", "GroupName": "web", "IpPermissions": [], "interfaces": interfaces}
        group = security_group.describe(content)
        member = Member("sg-1", "eu-west-1", group)
        joined = Joined("111122223333", "eu-west-1", member, {prefix_list.name: Population(())})
        assert group.known_idle is exposed_group.describe(joined).known_idle is idle

    def test_the_world_in_halves_over_two_rules_is_the_world(self) -> None:
        low = {**SSH, "IpRanges": [{"CidrIp": "0.0.0.0/1"}]}
        high = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "128.0.0.0/1"}]}
        assert exposed(low, high).reach == Seen("tcp 22 from everywhere, tcp 0-65535 from a /1, udp 0-65535 from a /1")

    def test_a_rule_that_names_another_group_opens_nothing(self) -> None:
        seen = exposed({**SSH, "UserIdGroupPairs": [{"GroupId": "sg-2"}]})
        assert (seen.openings, seen.reach) == (Seen(()), Seen("nothing"))

    def test_a_prefix_list_is_resolved(self) -> None:
        rule = {**SSH, "PrefixListIds": [{"PrefixListId": "pl-1"}]}
        halves = [{"Cidr": "0.0.0.0/1"}, {"Cidr": "128.0.0.0/1"}]
        assert exposed(rule, lists={"pl-1": halves}).openings == Seen((Opening("tcp", 22, 22, Seen(0)),))
        assert exposed(rule, lists={"pl-1": [{"Cidr": "10.0.0.0/8"}]}).openings == Seen(())

    @pytest.mark.parametrize("entries", [DENIED, [{"Cidr": "10.0.0.0/8"}, DENIED]])
    def test_a_prefix_list_that_was_not_read_whole_is_unseen_on_its_ports(self, entries: Any) -> None:
        rule = {**SSH, "PrefixListIds": [{"PrefixListId": "pl-1"}]}
        assert exposed(rule, lists={"pl-1": entries}).openings == Seen((Opening("tcp", 22, 22, UNSEEN),))

    def test_a_prefix_list_that_was_never_listed_is_unseen(self) -> None:
        rule = {**SSH, "PrefixListIds": [{"PrefixListId": "pl-1"}]}
        assert exposed(rule, more="Throttling").openings == Seen((Opening("tcp", 22, 22, Unseen("Throttling")),))
        assert "could not be read" in str(exposed(rule).reach)

    def test_only_named_prefix_lists_are_read_and_each_once(self) -> None:
        group = {"IpPermissions": [{"PrefixListIds": [{"PrefixListId": "pl-2"}, {"PrefixListId": "pl-1"}]}]}
        assert list(named_prefix_lists({"SecurityGroups": [group, group]})) == [
            {"PrefixListId": "pl-1"},
            {"PrefixListId": "pl-2"},
        ]

    def test_the_document_is_plain_json(self) -> None:
        seen = as_json(exposed({**SSH, "IpRanges": EVERYWHERE}))
        assert seen["openings"] == [{"transport": "tcp", "from_port": 22, "to_port": 22, "prefix": 0}]


class TestNetworkAcl:
    @staticmethod
    def entries(*actions: tuple[int, str, str, str]) -> Iterator[Mapping[str, Any]]:
        for number, action, protocol, cidr in actions:
            where = {"Ipv6CidrBlock": cidr} if ":" in cidr else {"CidrBlock": cidr}
            yield {"RuleNumber": number, "RuleAction": action, "Protocol": protocol, "Egress": False, **where}

    def described(self, *actions: tuple[int, str, str, str]) -> Any:
        return network_acl.describe({"NetworkAclId": "acl-1", "Entries": list(self.entries(*actions))}).openings.value

    def test_the_lowest_number_decides_however_it_is_listed(self) -> None:
        closed = self.described(
            (32767, "deny", "-1", "0.0.0.0/0"), (100, "allow", "-1", "0.0.0.0/0"), (90, "deny", "-1", "0.0.0.0/0")
        )
        assert closed == ()

    def test_denying_one_family_leaves_the_other(self) -> None:
        left = self.described(
            (90, "deny", "-1", "0.0.0.0/0"), (100, "allow", "-1", "0.0.0.0/0"), (101, "allow", "-1", "::/0")
        )
        assert {opening.prefix for opening in left} == {Seen(0)}

    def test_outgoing_entries_open_nothing(self) -> None:
        entry = {"RuleNumber": 1, "RuleAction": "allow", "Protocol": "-1", "Egress": True, "CidrBlock": "0.0.0.0/0"}
        assert network_acl.describe({"NetworkAclId": "acl-1", "Entries": [entry]}).reach == Seen("nothing")


class TestGateways:
    def test_a_gateway_that_others_share_with_us_is_not_our_own(self) -> None:
        assert transit_gateway.describe({"TransitGatewayId": "tgw-1", "own": []}).own == Seen(value=False)

    def test_tunnels_are_counted(self) -> None:
        seen = vpn.describe({"VpnConnectionId": "vpn-1", "VgwTelemetry": [{"Status": "UP"}, {"Status": "DOWN"}]})
        assert (seen.tunnels, seen.tunnels_up) == (Seen(2), Seen(1))
        assert vpn.describe({"VpnConnectionId": "vpn-1"}).tunnels_up == Seen(0)
