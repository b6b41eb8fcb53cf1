# The path of a change on a real Gitea: people open, review and merge pull requests, and read the statuses and the
# comment there. Sourced by samples/demo.sh.
# shellcheck shell=bash

patience=90

# A person with a key, and with clones of the application and of the control repository.
person() {
    git clone -q "http://$1:$(<"gitea/$1.token")@${url#http://}/acme/shop.git" "$1/shop" &&
        git clone -q repositories/control.git "$1/control" || return 1
    for clone in "$1/shop" "$1/control"; do
        git -C "$clone" config user.name "$1" &&
            git -C "$clone" config user.email "$1@example.com" &&
            git -C "$clone" config gpg.format ssh &&
            git -C "$clone" config user.signingKey "$work/$1/key" &&
            git -C "$clone" config commit.gpgSign true || return 1
    done
    git -C "$1/control" config countersign.repository local/control &&
        git -C "$1/control" config --add remote.origin.fetch '+refs/countersign/reports/*:refs/countersign/reports/*' &&
        git -C "$1/shop" config demo.gitea "$url" &&
        git -C "$1/shop" config demo.repository acme/shop &&
        git -C "$1/shop" config demo.token "$(<"gitea/$1.token")"
}

step 'The application moves to a real Gitea'
mkdir gitea
secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$secret" >gitea/secret
start_world gitea "$programs/countersign-gitea" --folder gitea --repository acme/shop --person ada --person grace \
    --person ada-at-home --reporter countersign --webhook "http://127.0.0.1:$port/webhooks/gitea" --secret "$secret"
gitea=$pid url=$(<gitea/url)
ln -s countersign-demo-pr bin/pr
quietly "git -C repositories/shop.git push -q http://ada:$(<gitea/ada.token)@${url#http://}/acme/shop.git main:main"
quietly 'person ada && person grace'
means "It is at $url. Its webhook leads to Countersign, which reads and reports with a token of its own."
as ada "$work/ada/control"
host="  gitea:\\n    kind: gitea\\n    url: $url\\n    webhookSecret: file:$work/gitea/secret\\n    token: file:$work/gitea/countersign.token"
edit countersign.yaml "s|^hosts:|&\\n$host|; s|^repositories:|&\\n  gitea/acme/shop: {}|; s|local/shop\$|gitea/acme/shop|
    s|^  ada:|&\\n    accounts: { gitea: $(<"$work/gitea/ada.id") }|; s|^  grace:|&\\n    accounts: { gitea: $(<"$work/gitea/grace.id") }|"
run "git commit -qam 'Take the shop from Gitea' && countersign propose"
shows '^proposed'
moved=$(git rev-parse HEAD)
as grace "$work/grace/control"
run "git fetch -q && countersign approve ${moved:0:12} && git push -q origin ${moved:0:12}:main"
shows '^approved'
until_it_says 'Activated' "git fetch -q && git show refs/countersign/reports/$moved:control.md"
shows '^.*Activated: '
means 'The control repository takes the path of every change. People are known on Gitea by the number of their account.'

step 'A change that policy denies'
as ada "$work/ada/shop"
run 'git switch -qc newer'
edit deploy/staging/deployment.yaml 's|image: .*|image: registry.example.com/shop/web:1.5.0|'
run "git commit -qam 'Use version 1.5.0' && git push -q origin newer && pr open newer 'Use version 1.5.0'"
shows '^pull request 1:'
until_it_says 'What to do: ' 'pr show 1'
shows '^countersign/staging: failure' '^# .*: denied' '^- .*deployment.yaml:[0-9]+' '^Why: A tag' '^What to do: Write the image' \
    '^Rule `images.pinned'
means 'The comment on the pull request names the rule, the file and the line, says why, and what to do.'

step 'The same change as policy wants it: reviewed, merged, deployed'
digest=4a1c4b21597c1b4415bdbecb28a3296c6b5e23ca4f9feeb599860a1dac6a0108
edit deploy/staging/deployment.yaml "s|web:1.5.0|web:1.5.0@sha256:$digest|"
run 'git commit -qa --amend --no-edit && git push -qf origin newer'
until_it_says 'only reviews are missing' 'pr show 1'
shows '^countersign/staging: pending' '^- .*who can approve: grace' '/spec/template/spec/containers/0/image`:'
quietly "git config demo.token $(<"$work/gitea/ada-at-home.token")"
as ada-at-home "$work/ada/shop"
run 'pr approve 1'
shows '^ada-at-home approved'
as ada "$work/ada/shop"
quietly "git config demo.token $(<"$work/gitea/ada.token")"
until_it_says '`ada-at-home (account' 'pr show 1'
says 'has 0 of 1 approvals (nobody)'
shows '^countersign/staging: pending' '^- .*ada-at-home .*does not count'
means 'Who proposes a change cannot approve it, under whatever login: only accounts in the control repository count.'
as grace "$work/grace/shop"
run 'git fetch -q && git diff --stat origin/main origin/newer && pr approve 1'
shows '^grace approved'
as ada "$work/ada/shop"
until_it_says 'would allow' 'pr show 1'
shows '^countersign/staging: success' '^# .*: would be allowed' '^- grace .*'
run 'pr merge 1'
shows '^merged as'
until_it_says 'Deployed and healthy' 'pr show 1'
shows '^# .*: deployed' '^all 3 objects'
run 'git switch -q main && git pull -q && pr statuses main'
shows '^countersign/staging: success, deployed'
as ops "$work"
run "$look"
says 'shop/web:1.5.0@'
shows '^shop-staging/web'
means 'The squashed merge was decided again, logged, authorized for this one cluster, applied, and followed until healthy.'

step 'An unapproved commit cannot ride along with an approved one'
as ada "$work/ada/shop"
run 'git switch -qc greeting'
edit deploy/staging/configmap.yaml 's|greeting: .*|greeting: Good morning|'
run "git commit -qam 'Greet politely' && git push -q origin greeting && pr open greeting 'Greet politely'"
shows '^pull request 2:'
until_it_says 'only reviews are missing' 'pr show 2'
as grace "$work/grace/shop"
run 'pr approve 2'
shows '^grace approved'
as ada "$work/ada/shop"
until_it_says 'would allow' 'pr show 2'
shows '^countersign/staging: success'
run 'git switch -qC main origin/main'
edit deploy/staging/deployment.yaml 's|replicas: .*|replicas: 5|'
run "git commit -qam 'Run five replicas'"
hurried=$(git rev-parse --short=8 HEAD)
run "git merge -q --no-ff -m 'Merge the greeting' greeting && git push -q origin main"
until_it_says 'rode along' 'pr statuses main'
says "commit $hurried (Run five replicas) rode along"
shows '^countersign/staging: failure'
means 'The change is measured from what was last authorized, and each commit in it must have been reviewed.'
run "git revert --no-edit $hurried && git push -q origin main"
until_it_says 'staging: success, deployed' 'pr statuses main'
shows '^countersign/staging: success, deployed'
means 'Without the commit that rode along, exactly what grace reviewed is left, and it is deployed.'

