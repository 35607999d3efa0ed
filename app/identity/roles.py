"""Who may do what: one table from operations to the right that each needs. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a caller may, each all that the one before it may: see, run, deploy, everything."""

    NONE = 0
    READER = 1
    EXECUTOR = 2
    DEPLOYER = 3
    ADMIN = 4

    def __str__(self) -> str:
        """As it is written in settings and shown to people."""
        return self.name.lower()


GRANTED = tuple(str(role) for role in Role if role is not Role.NONE)


@dataclass(frozen=True)
class Right:
    """What an operation needs. role: the least; own: what it is about is the caller's, or he is an admin;
    everywhere: he is known, in every tenant, for it tells of all.
    """

    role: Role
    own: bool = False
    everywhere: bool = False


PUBLIC = Right(Role.NONE)
READ = Right(Role.READER)
READ_OWN = Right(Role.READER, own=True)
WATCH = Right(Role.READER, everywhere=True)
EXECUTE = Right(Role.EXECUTOR)
CHANGE_OWN = Right(Role.EXECUTOR, own=True)
DEPLOY = Right(Role.DEPLOYER)
ADMINISTER = Right(Role.ADMIN)

RIGHTS = {
    "getLandingPage": READ,
    "getConformanceClasses": READ,
    "getAPI": READ,
    "callOperation": READ,
    "getProcesses": READ,
    "getProcessDescription": READ,
    "getPackage": READ,
    "getVersions": READ,
    "deploy": DEPLOY,
    "replace": DEPLOY,
    "undeploy": DEPLOY,
    **dict.fromkeys(("showDeployment", "reviewDeployment", "deployFromPage"), DEPLOY),
    **dict.fromkeys(("showReplacement", "reviewReplacement", "replaceFromPage"), DEPLOY),
    **dict.fromkeys(("showUndeployment", "undeployFromPage"), DEPLOY),
    "execute": EXECUTE,
    "changeForm": READ,
    "showRequest": READ,
    "showExtent": EXECUTE,  # it fetches what the form names
    "upload": EXECUTE,
    "getUpload": READ_OWN,
    "removeUpload": CHANGE_OWN,
    "getJobs": READ,
    "getStatus": READ,
    "dismiss": CHANGE_OWN,
    "retry": CHANGE_OWN,
    "pin": CHANGE_OWN,
    "unpin": CHANGE_OWN,
    "getResult": READ,
    "getOutput": READ,
    "getOutputValue": READ,
    "getFile": READ,
    "getPicture": READ,
    "getValue": READ,
    "getLog": READ,
    "getEvents": READ,
    "getStepLog": READ,
    "getCallbacks": READ_OWN,
    "getCallbackSecret": EXECUTE,
    "getJobInputs": READ_OWN,  # as received: with signed addresses, perhaps
    "getJobProvenance": READ,
    "getROCrate": READ,
    "getServerState": ADMINISTER,
    "getMetrics": WATCH,
    "getHealth": PUBLIC,
    "getReadiness": PUBLIC,  # which tells more to whom may watch
    # of forms on pages
    "chooseJobs": READ,
    "changeJobs": CHANGE_OWN,
    "dismissJob": CHANGE_OWN,
    "removeJob": CHANGE_OWN,
    "pinJob": CHANGE_OWN,
    "runAgain": CHANGE_OWN,  # by what was received: with signed addresses, perhaps
    "retryJob": CHANGE_OWN,
    # of the ArcGIS face, each as what it corresponds to
    "getArcGISInfo": PUBLIC,
    "generateToken": PUBLIC,
    **dict.fromkeys(("getGPServices", "getGPService", "getGPTask"), READ),
    **dict.fromkeys(("submitGPJob", "executeGPTask"), EXECUTE),
    **dict.fromkeys(("getGPJob", "getGPResults", "getGPResult", "getGPFile"), READ),
    **dict.fromkeys(("getGPInputs", "getGPInput"), READ_OWN),
    "cancelGPJob": CHANGE_OWN,
    **dict.fromkeys(("getGPAdmin", "getGPAdminServices"), ADMINISTER),
    **dict.fromkeys(("getGPJobsResource", "queryGPJobs", "countGPJobs", "getGPJobRecord"), ADMINISTER),
    **dict.fromkeys(("cancelGPJobOfAny", "deleteGPJob", "purgeGPQueue"), ADMINISTER),
    "getProblemType": PUBLIC,
    "getAsset": PUBLIC,
    "showLogin": PUBLIC,
    "login": PUBLIC,
    "logout": PUBLIC,
}


def needed(operation_id: str) -> Right:
    """The right that an operation needs; what has no row is for admins."""
    return RIGHTS.get(operation_id, ADMINISTER)
