``/manage/projects`` and ``/manage/tokens`` create, list, change and revoke projects and tokens; every change is effective with its answer.
